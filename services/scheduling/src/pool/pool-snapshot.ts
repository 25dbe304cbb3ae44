import type { SnapshotFormat } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { ArrivalMixRecord } from '@astro/matching/policy/learning/arrival-mix';
import { countUse } from './booking/evolve-bookings.js';
import { Durations, type DurationsRecord } from './durations.js';
import { install } from './learning/adopt.js';
import { mixFrom } from './learning/mix.js';
import { isInterruptible } from './market.js';
import { PoolShares, type SharesRecord } from './pool-shares.js';
import { emptyPool, type Lease, type Pool, type PoolNode } from './pool-state.js';

type Indexes =
  | 'waiting'
  | 'byDeadline'
  | 'byMove'
  | 'byAttestation'
  | 'onHold'
  | 'engine'
  | 'room'
  | 'needs'
  | 'shares'
  | 'durations'
  | 'mix'
  | 'use'
  | 'interruptible'
  | 'stepwise';
type Facts = Omit<Pool, Indexes> & {
  readonly shares: SharesRecord;
  readonly durations: DurationsRecord;
  readonly mix: ArrivalMixRecord;
  readonly entries: number;
  /** Places in the engine, of which the first wins among equals: of each node, and those that are free again. */
  readonly slots: ReadonlyMap<string, number>;
  readonly vacantSlots: readonly number[];
};

/** Grows with any change of `Pool`'s facts, or of what an event means for them. */
const facts = structured<Facts>(11);

/** Only the facts are written down; the indexes over them are made anew. */
export const poolSnapshot: SnapshotFormat<Pool> = {
  version: facts.version,
  // Ticks are explained from what the pool was before them.
  keepsEarlier: true,

  encode(pool) {
    const {
      waiting,
      byDeadline: _byDeadline,
      byMove: _byMove,
      byAttestation: _byAttestation,
      onHold: _onHold,
      needs: _needs,
      ...written
    } = pool;
    const {
      engine,
      room: _room,
      shares,
      durations,
      mix,
      use: _use,
      interruptible: _interruptible,
      stepwise: _stepwise,
      ...rest
    } = written;
    const slots = new Map([...pool.nodes.keys()].map(nodeId => [nodeId, engine.fleet.slotOf(nodeId)!]));
    const { entries } = waiting;
    const vacantSlots = [...engine.fleet.columns.vacantSlots];
    return facts.encode({
      ...rest,
      shares: shares.record(),
      durations: durations.record(),
      mix: mix.record(),
      entries,
      slots,
      vacantSlots,
    });
  },

  decode(bytes) {
    const { shares, durations, mix, slots, vacantSlots, entries, ...rest } = facts.decode(bytes);
    const pool: Pool = {
      ...emptyPool(),
      ...rest,
      shares: PoolShares.from(shares),
      durations: Durations.from(durations),
      mix: mixFrom(mix),
    };
    if (pool.adopted) install(pool, pool.adopted);
    for (const lease of pool.leases.values())
      if (isInterruptible(pool.jobs.get(lease.jobId)!.spec)) pool.interruptible.add(lease);
    fillEngines(pool, slots, vacantSlots);
    for (const node of pool.nodes.values()) {
      pool.use.offer(node.offer.inventory);
      if (node.attestation) pool.byAttestation.add(node);
    }
    for (const lease of pool.leases.values()) takeUp(pool, lease);
    for (const booking of pool.bookings.values())
      if (booking.isStarted) countUse(pool, booking, booking.units);
    const tasks = [...pool.jobs.values()].flatMap(job => {
      pool.byMove.add(job);
      if (job.service?.heldUntil) pool.onHold.add(job);
      if (job.funding) pool.stepwise.add(job);
      return [...job.tasks.values()];
    });
    pool.waiting.restore(tasks, entries);
    return pool;
  },
};

function takeUp({ byDeadline, use, jobs }: Pool, lease: Lease): void {
  const { spec } = jobs.get(lease.jobId)!;
  byDeadline.add(lease);
  // What is in a booking is counted with it.
  if (lease.bookingId === undefined) use.hold(spec);
}

/** Every node in its old place; strangers keep the places of those that left until all are in. */
function fillEngines(pool: Pool, slots: ReadonlyMap<string, number>, vacantSlots: readonly number[]): void {
  const { nodes, room } = pool;
  const bySlot = new Map([...slots].map(([nodeId, slot]) => [slot, nodes.get(nodeId)!]));
  const strangerAt = (slot: number) => `vacant ${slot}`;
  for (let slot = 0; slot < slots.size + vacantSlots.length; slot += 1) {
    const node = bySlot.get(slot);
    if (node) addWithLeases(pool, node);
    else room.addNode({ ...nothing, nodeId: strangerAt(slot) });
  }
  for (const slot of vacantSlots) room.removeNode(strangerAt(slot));
}

/** A node that shrank below what its leases hold is first as large as they need it. */
function addWithLeases(pool: Pool, { engineOffer, leases: leaseIds }: PoolNode): void {
  const { engine, room, interruptible } = pool;
  const leases = [...leaseIds]
    .map(leaseId => pool.leases.get(leaseId)!)
    .filter(({ bookingId }) => bookingId === undefined);
  const held = (field: 'cpuMillis' | 'memoryMib' | 'diskMib' | 'bandwidthMbps') =>
    Math.max(
      engineOffer[field],
      leases.reduce((sum, { hold }) => sum + hold[field], 0),
    );
  room.addNode({
    ...engineOffer,
    cpuMillis: held('cpuMillis'),
    memoryMib: held('memoryMib'),
    diskMib: held('diskMib'),
    bandwidthMbps: held('bandwidthMbps'),
  });
  for (const lease of leases) {
    engine.take(lease.hold);
    room.granted(lease, interruptible.has(lease));
  }
  room.updateNode(engineOffer);
}

const nothing: Omit<NodeOffer, 'nodeId'> = {
  operatorId: '',
  region: '',
  country: '',
  attestation: 'none',
  runtimes: [],
  fabric: '',
  cpuMillis: 0,
  memoryMib: 0,
  diskMib: 0,
  bandwidthMbps: 0,
  devices: [],
  cpuPower: { socketMillis: 1, idleWatts: 0, fullWatts: 0 },
  performance: 1,
  reliability: 0,
  pricePerDeviceSecondAtto: 0n,
  datasets: [],
  maintenance: [],
};
