import { deepEqual as alike } from 'node:assert';
import { expect, test } from '@jest/globals';
import { shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type { Grant, LeaseClass, PoolEvent } from '@astro/messages/scheduling';
import { interruptibleAskAtto } from '@astro/messages/asks';
import fc from 'fast-check';
import { freeOf } from './fleet.js';
import { attemptsLeft, waitingReplicas } from './pool-job.js';
import { leasePriceAtto } from './needs.js';
import { pool } from './pool.js';
import type { Pool } from './pool-state.js';
import { at, grantsIn, tick } from './pool-examples.js';

import { anySteps, type Steps } from './pool-steps.fixture.js';

/** What a check sees after each decision. The state is the pool's own, which the next event changes. */
type Moment = { readonly state: Pool; readonly events: readonly PoolEvent[] };

function run(steps: Steps, see: (moment: Moment, now: Date) => void = () => undefined): readonly PoolEvent[] {
  const all: PoolEvent[] = [];
  const granted: Grant[] = [];
  let state = pool.initialState;
  let elapsedMs = 0;
  for (const [step, waitMs] of steps) {
    elapsedMs += waitMs;
    const command = step(granted, at(elapsedMs));
    if (!command) continue;
    const decision = pool.decide(command, state);
    if (!decision.accepted) continue;
    all.push(...decision.events);
    granted.push(...grantsIn(decision.events));
    state = decision.events.reduce(pool.evolve, state);
    see({ state, events: decision.events }, at(elapsedMs));
  }
  return all;
}
const assertFor = (check: (steps: Steps) => void) =>
  fc.assert(fc.property(anySteps, check), { numRuns: 100 });
const atEveryMoment = (check: (moment: Moment) => void) => assertFor(steps => void run(steps, check));
const afterAll = (check: (events: readonly PoolEvent[]) => void) => assertFor(steps => check(run(steps)));
const isUnique = (values: readonly unknown[]) => new Set(values).size === values.length;

test('the sequences are worth their name: every kind of event happens', () => {
  const types = new Set(
    fc.sample(anySteps, { numRuns: 1_500, seed: 1 }).flatMap(steps => run(steps).map(({ type }) => type)),
  );
  expect([...types].sort()).toEqual([
    'AttestationsExpired',
    'HoldingsLost',
    'HoldingsNoted',
    'JobAbandoned',
    'JobClosed',
    'LeaseCheckpointed',
    'LeaseCompleted',
    'LeaseFailed',
    'LeaseRenewed',
    'LeaseStarted',
    'LeasesExpired',
    'LeasesGranted',
    'LeasesPreempted',
    'LeasesRevoked',
    'NodeAdmitted',
    'NodeWithdrawn',
    'PolicyAdopted',
    'ReplicaQueued',
    'ReplicasMetered',
    'ReplicasRequeued',
    'ServiceScaled',
    'TaskClosed',
    'TasksQueued',
  ]);
});

test('no node is ever over-committed, and free is what the live leases leave', () =>
  atEveryMoment(({ state }) => {
    for (const [nodeId, { offer, leases }] of state.nodes) {
      const free = freeOf(state.engine, nodeId);
      const held = [...state.leases.values()].filter(lease => lease.nodeId === nodeId);
      const cpuMillis = held.reduce(
        (sum, { jobId }) => sum + state.jobs.get(jobId)!.spec.requirements.cpuMillis,
        0,
      );
      expect(new Set(held.map(lease => lease.leaseId))).toEqual(new Set(leases));
      expect(free.cpuMillis).toBe(offer.inventory.cpuMillis - cpuMillis);
      expect(free.cpuMillis).toBeGreaterThanOrEqual(0);
      expect(free.memoryMib).toBeGreaterThanOrEqual(0);
    }
  }));

test('the indexes say what a look at everything says', () =>
  atEveryMoment(({ state }) => {
    const jobs = [...state.jobs.values()];
    const tasks = jobs.flatMap(job => [...job.tasks.values()]);
    const waiting = tasks.filter(task => waitingReplicas(task) > 0);
    const grouped = [...state.waiting.groups].flatMap(group => [...group.tasks]);
    expect(new Set([...grouped, ...state.waiting.spent])).toEqual(new Set(waiting));
    expect(state.waiting.size).toBe(waiting.length);
    expect(state.openTasks).toBe(tasks.length);
    const deadlines = [...state.leases.values()].map(lease => lease.deadline.getTime());
    expect([...state.byDeadline].map(lease => lease.deadline.getTime())).toEqual(
      deadlines.sort((a, b) => a - b),
    );
    const moves = jobs.map(job => job.movedAt.getTime()).sort((a, b) => a - b);
    expect([...state.byMove].map(job => job.movedAt.getTime())).toEqual(moves);
    const held = jobs.filter(({ service }) => service?.heldUntil !== undefined);
    expect(new Set(state.onHold)).toEqual(new Set(held));
    const leaseIds = jobs.flatMap(job => [...job.leases]);
    expect(new Set(leaseIds)).toEqual(new Set(state.leases.keys()));
  }));

test('a replay of the events gives the same pool, and the same decision', () =>
  assertFor(steps => {
    let last: Pool | undefined;
    const events = run(steps, ({ state }) => (last = state));
    const replayed = events.reduce(pool.evolve, pool.initialState);
    if (!last) return;
    expect(factsOf(replayed)).toBe(factsOf(last));
    const next = tick(at(100_000));
    expect(pool.decide(next, replayed)).toEqual(pool.decide(next, last));
  }));

test('a decision leaves the pool as it is, and comes out the same again', () =>
  atEveryMoment(({ state }) => {
    const before = factsOf(state);
    const decided = pool.decide(tick(at(100_000)), state);
    expect(factsOf(state)).toBe(before);
    expect(pool.decide(tick(at(100_000)), state)).toEqual(decided);
  }));

/** All that a pool knows, as text; a task's way back to its job would lead in circles. */
const factsOf = ({
  nodes,
  leases,
  jobs,
  nextFencingToken,
  endedJobs,
  shares,
  posted,
  adopted,
  ...learned
}: Pool) =>
  JSON.stringify(
    [nodes, leases, jobs, nextFencingToken, endedJobs, shares.record(), posted, adopted, recordsOf(learned)],
    (key, value: unknown) => {
      if (key === 'job') return undefined;
      if (value instanceof Set || value instanceof Map) return [...(value as Iterable<unknown>)];
      return typeof value === 'bigint' ? `${value}` : value;
    },
  );

test('fencing tokens strictly grow and lease ids never repeat', () =>
  afterAll(events => {
    const grants = grantsIn(events);
    expect(isUnique(grants.map(grant => grant.leaseId))).toBe(true);
    const tokens = grants.map(grant => grant.fencingToken);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  }));

test('every lease ends at most once, and only after it was granted', () =>
  afterAll(events => {
    const granted = new Set<string>();
    const ended: string[] = [];
    for (const event of events) {
      for (const { leaseId } of grantsIn([event])) granted.add(leaseId);
      for (const leaseId of leasesEndedBy(event)) {
        expect(granted.has(leaseId)).toBe(true);
        ended.push(leaseId);
      }
    }
    expect(isUnique(ended)).toBe(true);
  }));

function leasesEndedBy({ type, data }: PoolEvent): readonly string[] {
  if (type === 'LeaseCompleted' || type === 'LeaseFailed') return [data.leaseId];
  if (type === 'NodeAdmitted' || type === 'AttestationsExpired' || type === 'ServiceScaled')
    return data.revoked.map(lease => lease.leaseId);
  if (type === 'LeasesExpired' || type === 'LeasesRevoked') return data.leases.map(lease => lease.leaseId);
  if (type === 'JobClosed' || type === 'JobAbandoned') return data.revoked.map(lease => lease.leaseId);
  return [];
}

test('what asks for attestation is only ever on nodes of which that is accepted, and has not expired', () =>
  assertFor(steps => {
    run(steps, ({ state, events }, now) => {
      const attestationOf = (nodeId: string) => state.nodes.get(nodeId)!.attestation;
      for (const { jobId, nodeId } of state.leases.values()) {
        const { attestations } = state.jobs.get(jobId)!.spec.requirements;
        if (attestations.length > 0) expect(attestations).toContain(attestationOf(nodeId)?.kind);
      }
      for (const { jobId, nodeId } of grantsIn(events))
        if (state.jobs.get(jobId)!.spec.requirements.attestations.length > 0)
          expect(attestationOf(nodeId)!.expiresAt.getTime()).toBeGreaterThan(now.getTime());
      const attested = [...state.nodes.values()].filter(({ attestation }) => attestation);
      expect(new Set(state.byAttestation)).toEqual(new Set(attested));
    });
  }));

test('a service never has more replicas than are wanted, nor wants more than its most', () =>
  atEveryMoment(({ state }) => {
    for (const { service, tasks, leases, spec } of state.jobs.values()) {
      if (!service) continue;
      const [task] = tasks.values();
      expect(leases.size).toBe(task?.live);
      expect(task?.live).toBeLessThanOrEqual(task!.replicasWanted);
      expect(task?.replicasWanted).toBeLessThanOrEqual(service.replicasMax);
      expect(service.spentAtto).toBeLessThanOrEqual(spec.service!.budgetAtto);
    }
  }));

test('what a service is charged is numbered without a gap, and settled in full when it leaves', () =>
  afterAll(events => {
    const charges = new Map<string, number>();
    for (const { type, data } of events) {
      if (type === 'LeaseRenewed') {
        expect(data.chargeNumber).toBe((charges.get(data.jobId) ?? 0) + 1);
        charges.set(data.jobId, data.chargeNumber);
      }
      if (type === 'ReplicasMetered') {
        expect(data.chargeNumber).toBe((charges.get(data.jobId) ?? 0) + 1);
        charges.set(data.jobId, data.chargeNumber + data.work.length - 1);
      }
      if ((type === 'JobClosed' || type === 'JobAbandoned') && data.settlement)
        expect(data.settlement.charges).toBe(charges.get(data.jobId) ?? 0);
    }
  }));

test('no operator has two replicas of a task that are live or completed', () =>
  assertFor(steps => {
    const completed: Grant[] = [];
    const grants = new Map<string, Grant>();
    run(steps, ({ state, events }) => {
      for (const grant of grantsIn(events)) grants.set(grant.leaseId, grant);
      for (const { type, data } of events)
        if (type === 'LeaseCompleted') completed.push(grants.get(data.leaseId)!);
      const compared = [...state.leases.values()].filter(({ jobId }) => !state.jobs.get(jobId)?.service);
      const working = [...compared, ...completed];
      expect(isUnique(working.map(({ taskId, operatorId }) => `${taskId} ${operatorId}`))).toBe(true);
    });
  }));

test('a gang gets room for all of its tasks that wait, or for none, and only where it may run', () =>
  atEveryMoment(({ state, events }) => {
    for (const { jobId, nodeId } of grantsIn(events)) {
      const { spec, tasks } = state.jobs.get(jobId)!;
      if (!spec.gang) continue;
      const open = [...tasks.values()];
      expect(open.every(task => task.live + task.completed >= task.replicasWanted)).toBe(true);
      expect(state.nodes.get(nodeId)!.offer.region).toBe('de-fra');
      const at = open.flatMap(({ job }) => [...job.leases].map(id => state.leases.get(id)!.nodeId));
      if (spec.gang.topology === 'node') expect(new Set(at).size).toBe(1);
    }
  }));

test('no price is above the cap of its job, and no lease outlives its job', () =>
  atEveryMoment(({ state, events }) => {
    for (const { jobId, pricePerSecondAtto } of grantsIn(events)) {
      const { maxPricePerSecondAtto } = state.jobs.get(jobId)!.spec.requirements;
      expect(pricePerSecondAtto <= maxPricePerSecondAtto).toBe(true);
    }
    for (const { jobId } of state.leases.values()) expect(state.jobs.has(jobId)).toBe(true);
  }));

test('only interruptible leases are preempted, once, for what is not, and go when their notice is over', () =>
  assertFor(steps => {
    const classes = new Map<string, LeaseClass>();
    const notices = new Map<string, Date>();
    run(steps, ({ state, events }, now) => {
      for (const { jobId, leaseId } of grantsIn(events))
        classes.set(leaseId, state.jobs.get(jobId)!.spec.leaseClass);
      for (const { type, data } of events) {
        if (type === 'LeasesPreempted') {
          expect(data.leases.length).toBeGreaterThan(0);
          expect(data.forLeaseClass).not.toBe('interruptible');
          expect(state.jobs.get(data.forJobId)!.spec.leaseClass).toBe(data.forLeaseClass);
          for (const { leaseId } of data.leases) {
            expect(classes.get(leaseId)).toBe('interruptible');
            expect(notices.has(leaseId)).toBe(false);
            expect(state.leases.get(leaseId)!.deadline).toEqual(data.noticeUntil);
            notices.set(leaseId, data.noticeUntil);
          }
        }
        if (type === 'LeasesRevoked')
          for (const { leaseId } of data.leases) expect(notices.get(leaseId)!.getTime()).toBeLessThan(+now);
        if (type === 'LeasesExpired')
          for (const { leaseId } of data.leases) expect(notices.has(leaseId)).toBe(false);
      }
    });
  }));

test('a lease taken back leaves its task with all the attempts that it had, and on no list of failures', () =>
  assertFor(steps => {
    const left = new Map<string, number>();
    run(steps, ({ state, events }) => {
      for (const { type, data } of events)
        if (type === 'LeasesRevoked')
          for (const { jobId, taskId, nodeId } of data.leases) {
            const task = state.jobs.get(jobId)!.tasks.get(taskId);
            if (!task) continue;
            // A service has attempts without end, and may have another replica on the same node.
            if (task.job.service) continue;
            expect(attemptsLeft(task)).toBeGreaterThan(left.get(`${jobId} ${taskId}`)!);
            expect(task.failedOn.has(nodeId)).toBe(left.get(`${jobId} ${taskId} ${nodeId}`) === 1);
          }
      left.clear();
      for (const { jobId, tasks } of state.jobs.values())
        for (const [taskId, task] of tasks) {
          left.set(`${jobId} ${taskId}`, attemptsLeft(task));
          for (const nodeId of task.failedOn) left.set(`${jobId} ${taskId} ${nodeId}`, 1);
        }
    });
  }));

test('what interruptible work pays is no less than its node asks, and no more than on demand there', () =>
  atEveryMoment(({ state, events }) => {
    for (const event of events) {
      if (event.type !== 'LeasesGranted') continue;
      const surges = new Map(
        event.data.prices.map(({ deviceKind, surgeThousandths }) => [deviceKind, surgeThousandths]),
      );
      for (const surge of surges.values()) expect(surge >= 1_000 && surge <= 3_000).toBe(true);
      for (const { jobId, nodeId, pricePerSecondAtto } of event.data.grants) {
        const { offer } = state.nodes.get(nodeId)!;
        const askAtto = offer.pricePerSecondAtto;
        const { spec } = state.jobs.get(jobId)!;
        const { leaseClass } = spec;
        const onDemandAtto = leasePriceAtto(spec, askAtto, surges.get(spec.requirements.deviceKind)!);
        if (leaseClass === 'on_demand') expect(pricePerSecondAtto).toBe(onDemandAtto);
        if (leaseClass === 'reserved') expect(pricePerSecondAtto > askAtto).toBe(true);
        if (leaseClass !== 'interruptible') continue;
        const leastAtto = leasePriceAtto(spec, interruptibleAskAtto(offer), 1_000);
        expect(pricePerSecondAtto >= leastAtto && pricePerSecondAtto <= onDemandAtto).toBe(true);
      }
    }
  }));

test('the use of the pool is what its live leases hold of what its nodes have', () =>
  atEveryMoment(({ state }) => {
    const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
    const held = [...state.leases.values()].map(({ jobId }) => state.jobs.get(jobId)!.spec);
    expect(state.use.of('cpu')).toEqual({
      usedMillis: sum(held.map(({ requirements }) => requirements.cpuMillis)),
      totalMillis: sum([...state.nodes.values()].map(({ offer }) => offer.inventory.cpuMillis)),
    });
    expect(new Set(state.interruptible)).toEqual(
      new Set(
        [...state.leases.values()].filter(
          ({ jobId }) => state.jobs.get(jobId)!.spec.leaseClass === 'interruptible',
        ),
      ),
    );
  }));

test('room for firm work is counted as if no interruptible lease ran', () =>
  atEveryMoment(({ state: { nodes, leases, engine, room, interruptible } }) => {
    for (const [nodeId, node] of nodes) {
      const held = [...node.leases]
        .map(leaseId => leases.get(leaseId)!)
        .filter(one => interruptible.has(one));
      const { cpuMillis, memoryMib } = freeOf(engine, nodeId);
      expect(freeOf(room.firm, nodeId)).toEqual({
        cpuMillis: held.reduce((sum, { hold }) => sum + hold.cpuMillis, cpuMillis),
        memoryMib: held.reduce((sum, { hold }) => sum + hold.memoryMib, memoryMib),
      });
    }
  }));

test('a job leaves the pool at most once and does not come back', () =>
  afterAll(events => {
    const left: string[] = [];
    for (const { type, data } of events) {
      if (type === 'JobClosed' || type === 'JobAbandoned') left.push(data.jobId);
      if (type === 'TasksQueued') expect(left).not.toContain(data.jobId);
    }
    expect(isUnique(left)).toBe(true);
  }));

/** What was learned that can be said. */
const recordsOf = ({ durations, mix }: Pick<Pool, 'durations' | 'mix'>) => ({
  durations: durations.record(),
  mix: mix.record(),
});

/**
 * All that the pool knows, the indexes in their order. Which group of waiting tasks was first is no matter, nor
 * which of its jobs a group took its specification from.
 */
function contentOf({
  waiting,
  byDeadline,
  byMove,
  byAttestation,
  onHold,
  engine,
  room,
  needs: _needs,
  durations,
  mix,
  shares,
  use,
  interruptible,
  ...facts
}: Pool) {
  const groups = [...waiting.groups].map(({ tasks, spec: _spec, ...group }) => ({
    ...group,
    tasks: [...tasks],
  }));
  groups.sort((left, right) => (left.key < right.key ? -1 : 1));
  const indexes = { groups, spent: [...waiting.spent], waiting: waiting.size };
  const freeIn = (fleet: Pool['engine']) => [...facts.nodes.keys()].map(nodeId => freeOf(fleet, nodeId));
  const free = { now: freeIn(engine), ofFirmWork: freeIn(room.firm) };
  const records = { shares: shares.record(), ...recordsOf({ durations, mix }), weights: engine.termWeights };
  const market = { use: use.of('cpu'), interruptible: [...interruptible] };
  const lists = {
    byDeadline: [...byDeadline],
    byMove: [...byMove],
    onHold: [...onHold],
    byAttestation: [...byAttestation],
  };
  return { facts, indexes, free, records, market, ...lists };
}

test('a pool that goes on from its snapshot knows and decides what the other one does', () => {
  const { encode, decode } = pool.snapshot!;
  fc.assert(
    fc.property(anySteps, fc.nat({ max: 40 }), (steps, restartAt) => {
      let restored: Pool | undefined;
      let moment = 0;
      let now = 0;
      run(steps, ({ state, events }) => {
        if (restored) restored = events.reduce(pool.evolve, restored);
        if (moment++ === restartAt) restored = decode(encode(state));
        if (!restored) return;
        alike(contentOf(restored), contentOf(state));
        const later = tick(at((now += 1_000)));
        alike(pool.decide(later, restored), pool.decide(later, state));
      });
    }),
    { numRuns: 100 },
  );
}, 120_000);

test('a state of another shape has another version of its snapshot', () => {
  const shapes = fc.sample(anySteps, { numRuns: 300, seed: 7 }).map(steps => {
    let last = pool.initialState;
    run(steps, ({ state }) => (last = state));
    return contentOf(last).facts;
  });
  expect(`${pool.snapshot!.version} ${shapeDigestOf(shapes)}`).toBe('11 9afc6f3c37b91574');
});
