import { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { Checkpoint, ExpiredLease, Grant, LearnedPolicy } from '@astro/messages/scheduling';
import { PreemptibleRoom } from '@astro/matching/queue/preemptible-room';
import { Kinship } from '@astro/matching/spread/kinship';
import type { ArrivalMix } from '@astro/matching/policy/learning/arrival-mix';
import type { Attestation, Offer } from '@astro/messages/registry';
import type { Booking, EndedBooking } from './booking/booking.js';
import { Durations } from './durations.js';
import type { PostedPrices } from './market.js';
import { believedMix } from './learning/mix.js';
import { NeedsTable } from './needs-table.js';
import type { NodeRecord } from './node-record.js';
import { OrderedList } from './ordered-list.js';
import type { PoolJob } from './pool-job.js';
import { PoolShares } from './pool-shares.js';
import { PoolUse } from './pool-use.js';
import { poolWeights, tightFit } from './policy.js';
import { WaitingTasks } from './waiting-tasks.js';

export type Lease = Omit<Grant, 'deadline' | 'checkpoint'> & {
  hold: Hold;
  startedAt: Date | undefined;
  /** Earlier than granted once it was preempted: the end of the notice. Later once a replica was renewed. */
  deadline: Date;
  /** Whether it was told to make room for another. */
  isPreempted: boolean;
  renewed: RenewedLease | undefined;
  /** What it goes on from after a restart: what it was granted with, until it has made one itself. */
  checkpoint: Checkpoint | undefined;
  checkpointedAt: Date | undefined;
  health: ReplicaHealth | undefined;
  /** The booking that it is in: then it holds what is booked, and nothing of the pool's fleets. */
  readonly bookingId: string | undefined;
};

/** Of a service's replica, up to when its use was last charged. */
export type RenewedLease = {
  readonly at: Date;
  /** How busy it was, where that is known. */
  busyShare: number | undefined;
  /** What of its inputs has been charged, since its lease began. */
  readonly fetchedBytes: number;
  /** Of the outputs that have been charged. */
  readonly digest: string;
};

/** Of a server's replica, once its node has said something of it. */
export type ReplicaHealth = { readonly isHealthy: boolean; readonly changes: number };

export type LeaseEnd = 'completed' | 'failed' | 'expired' | 'revoked';

export type PoolNode = {
  readonly offer: Offer;
  /** The offer as the engine has it, with what the pool has seen of the node. */
  engineOffer: NodeOffer;
  /** What was accepted of it, until it has expired. */
  attestation: Attestation | undefined;
  /** Ids of its live leases. */
  readonly leases: Set<string>;
  /** Its last ended leases, oldest first. */
  readonly endedLeases: Map<string, LeaseEnd>;
};

/**
 * A pool holds hundreds of thousands of things, so that an event changes it in place: what was read of it
 * counts until the next event only. The maps are the facts; the lists are indexes over them.
 */
export type Pool = {
  readonly nodes: Map<string, PoolNode>;
  /** In the order in which they were queued. */
  readonly jobs: Map<string, PoolJob>;
  /** Live leases. */
  readonly leases: Map<string, Lease>;
  nextFencingToken: number;
  readonly endedJobs: Set<string>;
  /** Capacity that is kept for tenants, in the order in which it was booked. */
  readonly bookings: Map<string, Booking>;
  readonly endedBookings: Map<string, EndedBooking>;
  jobsQueued: number;
  /** How often nodes were admitted or withdrawn. */
  nodeChanges: number;
  /** How often one was withdrawn. */
  nodesLost: number;
  /** Open tasks of all jobs. */
  openTasks: number;
  readonly waiting: WaitingTasks;
  /** Absent until a tick has recorded prices. */
  posted: PostedPrices | undefined;
  readonly use: PoolUse;
  readonly shares: PoolShares;
  /** Of every node that was ever admitted, up to a limit; the one that was admitted longest ago comes first. */
  readonly records: Map<string, NodeRecord>;
  /** Which operators are related, and by what. */
  readonly kinship: Kinship;
  /** How long tasks take, for forecasts. */
  readonly durations: Durations;
  /** How often each demand arrives, for learning. */
  readonly mix: ArrivalMix;
  /** What picks nodes, once something has been learned. */
  adopted: LearnedPolicy | undefined;
  /** Where there is room, and which node is best. Follows from the facts. */
  readonly engine: PlacementEngine;
  /** The same without what may be stopped for others: where room could be made, and by whom. It keeps both in step. */
  readonly room: PreemptibleRoom<Lease>;
  /** What the engine is asked for, one object for all that need the same. */
  readonly needs: NeedsTable;
  /** Live leases, the one that ends first comes first. */
  readonly byDeadline: OrderedList<Lease>;
  /** Live leases that may be stopped for others, in the order in which they were granted. */
  readonly interruptible: Set<Lease>;
  /** Jobs, the one that moved longest ago comes first. */
  readonly byMove: OrderedList<PoolJob>;
  /** Nodes of which evidence was accepted, the one whose expires first comes first. */
  readonly byAttestation: OrderedList<PoolNode>;
  /** Services of which a replica has failed, the one that waits no more first comes first. */
  readonly onHold: OrderedList<PoolJob>;
  /** Jobs that are funded stepwise, in the order in which they were queued. */
  readonly stepwise: Set<PoolJob>;
};

const newEngine = () => new PlacementEngine({ policy: tightFit, weights: poolWeights });

export const emptyPool = (): Pool => emptyPoolOn(newEngine());

const emptyPoolOn = (engine: PlacementEngine): Pool => ({
  nodes: new Map(),
  jobs: new Map(),
  leases: new Map(),
  nextFencingToken: 1,
  endedJobs: new Set(),
  bookings: new Map(),
  endedBookings: new Map(),
  jobsQueued: 0,
  nodeChanges: 0,
  nodesLost: 0,
  openTasks: 0,
  waiting: new WaitingTasks(),
  posted: undefined,
  use: new PoolUse(),
  interruptible: new Set(),
  stepwise: new Set(),
  shares: new PoolShares(),
  kinship: new Kinship(),
  durations: new Durations(),
  mix: believedMix(),
  adopted: undefined,
  records: new Map(),
  engine,
  room: new PreemptibleRoom(engine, newEngine()),
  needs: new NeedsTable(),
  byDeadline: new OrderedList<Lease>(
    (left, right) =>
      left.deadline.getTime() - right.deadline.getTime() || left.fencingToken - right.fencingToken,
  ),
  byMove: new OrderedList<PoolJob>(
    (left, right) => left.movedAt.getTime() - right.movedAt.getTime() || left.number - right.number,
  ),
  byAttestation: new OrderedList<PoolNode>(
    (left, right) => expiryMs(left) - expiryMs(right) || (left.offer.nodeId < right.offer.nodeId ? -1 : 1),
  ),
  onHold: new OrderedList<PoolJob>(
    (left, right) => heldUntilMs(left) - heldUntilMs(right) || left.number - right.number,
  ),
});

const expiryMs = ({ attestation }: PoolNode) => attestation?.expiresAt.getTime() ?? 0;
const heldUntilMs = ({ service }: PoolJob) => service?.heldUntil?.getTime() ?? 0;

export const isOverdue = (lease: Lease, now: Date): boolean => lease.deadline.getTime() < now.getTime();

export function jobOfLease({ jobs }: Pool, { leaseId, jobId }: Pick<Lease, 'leaseId' | 'jobId'>): PoolJob {
  const job = jobs.get(jobId);
  if (!job) throw new Error(`live lease ${leaseId} of a job that is not in the pool`);
  return job;
}

export const leasesOfJob = (pool: Pool, { leases }: PoolJob): readonly Lease[] =>
  [...leases].map(leaseId => pool.leases.get(leaseId)!);

/** A lease as the events that end several of them list it. */
export const ended = ({ leaseId, jobId, taskId, nodeId }: Lease): ExpiredLease => ({
  leaseId,
  jobId,
  taskId,
  nodeId,
});
