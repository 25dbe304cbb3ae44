import { expect, test } from '@jest/globals';
import { Random } from '@astro/matching/engine/random';
import type { Grant, PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import fc from 'fast-check';
import { adopt, admitMachine, examplePolicy, specFor, type Machine } from './learning/learning.fixture.js';
import { LEASE_GRACE_MS } from './pool-limits.js';
import { pool } from './pool.js';
import { at, complete, grantsIn, poolId, queue, start, tick, timeLimitMs } from './pool-examples.js';
import type { Pool } from './pool-state.js';

/** What one lease lasts at most, and what a reservation waits for (`reservation.ts`). */
const leaseMs = timeLimitMs + LEASE_GRACE_MS;
const reservedAfterMs = { gang: 30_000, task: 600_000 };
const stepMs = 2_000;

const machine: Machine = { vcpu: 8, devices: 4, model: 'T4' };
const nodeIds = ['node_a', 'node_b', 'node_c'];

/** A pool in which nothing fails: what was granted starts at once and ends after as long as it says. */
class Running {
  state: Pool = pool.initialState;
  readonly granted = new Map<string, number>();
  #working: { readonly grant: Grant; readonly endsAtMs: number }[] = [];

  constructor(isLearned: boolean) {
    for (const nodeId of nodeIds) this.decide(admitMachine(nodeId, machine));
    if (isLearned) this.decide(adopt(examplePolicy));
  }

  decide(command: PoolCommand): readonly PoolEvent[] {
    const decision = pool.decide(command, this.state);
    if (!decision.accepted) throw new Error(`${command.type}: ${decision.rejection}`);
    this.state = decision.events.reduce(pool.evolve, this.state);
    return decision.events;
  }

  /** Ends what is due, and places until nothing more is placed. */
  step(nowMs: number, lastsMs: (grant: Grant) => number): void {
    const due = this.#working.filter(({ endsAtMs }) => endsAtMs <= nowMs);
    this.#working = this.#working.filter(({ endsAtMs }) => endsAtMs > nowMs);
    for (const { grant } of due) {
      this.decide(complete(grant, at(nowMs)));
      this.decide({ type: 'CloseTask', data: { poolId, jobId: grant.jobId, taskId: grant.taskId } });
    }
    for (;;) {
      const grants = grantsIn(this.decide(tick(at(nowMs))));
      if (grants.length === 0) return;
      for (const grant of grants) {
        this.granted.set(grant.taskId, nowMs);
        this.decide(start(grant, at(nowMs)));
        this.#working.push({ grant, endsAtMs: nowMs + lastsMs(grant) });
      }
    }
  }
}

const anyDuration = fc.integer({ min: 1, max: timeLimitMs });
/** What is under way or waits before the one that is watched comes. */
const anyLoad = fc.array(
  fc.record({
    devices: fc.integer({ min: 0, max: 4 }),
    vcpu: fc.integer({ min: 1, max: 8 }),
    tasks: fc.integer({ min: 1, max: 4 }),
    priority: fc.integer({ min: 0, max: 3 }),
    tenant: fc.integer({ min: 1, max: 3 }),
    lastsMs: anyDuration,
  }),
  { maxLength: 8 },
);
type Load = typeof anyLoad extends fc.Arbitrary<infer Value> ? Value : never;

/** Fits an idle pool: a whole node, or a gang of nodes. */
const anyWatched = fc.record({
  members: fc.integer({ min: 1, max: 3 }),
  isGang: fc.boolean(),
  devices: fc.integer({ min: 1, max: 4 }),
  queuedAtMs: fc.integer({ min: 0, max: 20_000 }),
});
type Watched = typeof anyWatched extends fc.Arbitrary<infer Value> ? Value : never;

function queueLoad(running: Running, load: Load, nowMs: number): Map<string, number> {
  const lasts = new Map<string, number>();
  for (const [index, { devices, vcpu, tasks, priority, tenant, lastsMs }] of load.entries()) {
    const ids = Array.from({ length: tasks }, (_, task) => `load_${index}_${task}`);
    for (const id of ids) lasts.set(id, lastsMs);
    const spec = { ...specFor(ids, { vcpu, devices }), priority };
    running.decide(queue(`load_${index}`, spec, at(nowMs), `tenant_${tenant}`));
  }
  return lasts;
}

function queueWatched(
  running: Running,
  { members, isGang, devices }: Watched,
  nowMs: number,
): readonly string[] {
  const ids = Array.from({ length: members }, (_, member) => `watched_${member}`);
  const spec = specFor(ids, { vcpu: 8, devices });
  running.decide(
    queue('watched', { ...spec, ...(isGang && { gang: { topology: 'any' } }) }, at(nowMs), 'tenant_0'),
  );
  return ids;
}

const replicas = (load: Load) => load.reduce((sum, { tasks }) => sum + tasks, 0);

test('what fits an idle pool starts at the first tick after the load ahead of it has ended', () =>
  fc.assert(
    fc.property(anyLoad, anyWatched, fc.boolean(), (load, watched, isLearned) => {
      const running = new Running(isLearned);
      const lasts = queueLoad(running, load, 0);
      const lastsMs = ({ taskId }: Grant) => lasts.get(taskId) ?? 1;
      let ids: readonly string[] = [];
      // One after the other at worst, each ending at a step; then it is alone.
      const idleAfterMs = watched.queuedAtMs + (replicas(load) + 1) * (timeLimitMs + stepMs);
      for (let nowMs = 0; nowMs <= idleAfterMs + stepMs; nowMs += stepMs) {
        if (ids.length === 0 && nowMs >= watched.queuedAtMs) ids = queueWatched(running, watched, nowMs);
        running.step(nowMs, lastsMs);
      }
      expect(ids.filter(id => !running.granted.has(id))).toEqual([]);
      expect(running.state.waiting.size).toBe(0);
    }),
    { numRuns: 60 },
  ));

test('no stream of later small tasks keeps what fits an idle pool from starting', () =>
  fc.assert(
    fc.property(
      anyLoad,
      anyWatched,
      fc.boolean(),
      fc.integer({ min: 1 }),
      (load, watched, isLearned, seed) => {
        const running = new Running(isLearned);
        const lasts = queueLoad(running, load, 0);
        const lastsMs = ({ taskId }: Grant) => lasts.get(taskId) ?? random.below(timeLimitMs) + 1;
        // They end one by one, so that no node comes free by itself.
        const random = new Random(seed);
        const waitMs = reservedAfterMs[watched.isGang ? 'gang' : 'task'];
        // The load ahead ends, it has waited long, and from then on each of its parts waits for one lease at most.
        const untilMs =
          watched.queuedAtMs +
          (replicas(load) + 1) * leaseMs +
          waitMs +
          (watched.members + 1) * (leaseMs + stepMs);
        let ids: readonly string[] = [];
        let small = 0;
        for (let nowMs = 0; nowMs <= untilMs; nowMs += stepMs) {
          if (ids.length === 0 && nowMs >= watched.queuedAtMs) ids = queueWatched(running, watched, nowMs);
          // More than the pool can do, of tenants that come after.
          if (running.state.waiting.size < 24) {
            const each = Array.from({ length: 12 }, () => `small_${small++}`);
            running.decide(
              queue(`small_${small}`, specFor(each, { vcpu: 1, devices: 1 }), at(nowMs), 'tenant_9'),
            );
          }
          running.step(nowMs, lastsMs);
          if (ids.length > 0 && ids.every(id => running.granted.has(id))) return;
        }
        expect(ids.filter(id => !running.granted.has(id))).toEqual([]);
      },
    ),
    { numRuns: 60 },
  ));
