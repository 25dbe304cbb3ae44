import { deepEqual as alike } from 'node:assert';
import { equal, ok } from 'node:assert/strict';
import { test } from '@jest/globals';
import type { Grant, PoolCommand } from '@astro/messages/scheduling';
import fc from 'fast-check';
import { addFunds, closeFor, declineFunds, most, queueFunded, stepwise } from './funding-examples.js';
import { waitingReplicas } from './pool-job.js';
import {
  admit,
  at,
  closeJob,
  complete,
  fail,
  grantsIn,
  replica,
  start,
  tick,
  withdraw,
} from './pool-examples.js';
import { pool } from './pool.js';
import type { Pool } from './pool-state.js';

const jobIds = fc.constantFrom('job_1', 'job_2');
const taskIds = fc.integer({ min: 0, max: 4 }).map(index => `task_${index}`);
type Step = (granted: readonly Grant[], nowMs: number) => PoolCommand | undefined;
const always =
  (command: PoolCommand): Step =>
  () =>
    command;
const report = (make: (grant: Grant, nowMs: number) => PoolCommand): fc.Arbitrary<Step> =>
  fc.nat({ max: 5 }).map((index): Step => (granted, nowMs) => {
    const grant = granted.at(-1 - (index % Math.max(1, granted.length)));
    return grant && make(grant, nowMs);
  });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom('node_a', 'node_b').map(nodeId => always(admit(nodeId))) },
  { weight: 1, arbitrary: fc.constantFrom('node_a', 'node_b').map(nodeId => always(withdraw(nodeId))) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(jobIds, fc.constantFrom(0, 1, 2), fc.bigInt(most, 4n * most), fc.boolean())
      .map(([jobId, maxParallel, fundedAtto, isPausing]) => {
        const spec = stepwise(5, { maxParallel }, { onShortage: isPausing ? 'pause' : 'notice_then_stop' });
        return always(queueFunded(spec, fundedAtto, jobId));
      }),
  },
  { weight: 10, arbitrary: fc.constant<Step>((_granted, nowMs) => tick(at(nowMs))) },
  { weight: 4, arbitrary: report((grant, nowMs) => start(grant, at(nowMs))) },
  { weight: 4, arbitrary: report((grant, nowMs) => complete(grant, at(nowMs))) },
  { weight: 1, arbitrary: report(grant => fail(grant)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(taskIds, fc.bigInt(0n, most), jobIds)
      .map(([taskId, costAtto, jobId]) => always(closeFor(taskId, costAtto, jobId))),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(jobIds, taskIds).map(([jobId, taskId]) => always(replica(jobId, taskId))),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.bigInt(1n, 3n * most), jobIds)
      .map(([number, amountAtto, jobId]) => always(addFunds(number, amountAtto, jobId))),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 4 }), jobIds).map(
      ([number, jobId]): Step =>
        (_granted, nowMs) =>
          declineFunds(number, nowMs, jobId),
    ),
  },
  {
    weight: 1,
    arbitrary: jobIds.map(
      (jobId): Step =>
        (_granted, nowMs) =>
          closeJob(jobId, at(nowMs)),
    ),
  },
);
const anySteps = fc.array(fc.tuple(anyStep, fc.constantFrom(0, 100, 100, 70_000)), {
  maxLength: 60,
  size: 'max',
});

const atEveryMoment = (check: (pool: Pool) => void) =>
  fc.assert(
    fc.property(anySteps, steps => {
      const granted: Grant[] = [];
      let state = pool.initialState;
      let nowMs = 0;
      for (const [step, waitMs] of steps) {
        nowMs += waitMs;
        const command = step(granted, nowMs);
        const decision = command && pool.decide(command, state);
        if (!decision?.accepted) continue;
        granted.push(...grantsIn(decision.events));
        state = decision.events.reduce(pool.evolve, state);
        check(state);
      }
    }),
    { numRuns: 300 },
  );

test('what may have been begun can be paid for, whatever it comes to cost', () =>
  atEveryMoment(({ jobs }) => {
    for (const { funding, tasks } of jobs.values()) {
      if (!funding) continue;
      const begun = [...tasks.values()].filter(({ isBegun }) => isBegun);
      equal(funding.begun, begun.length);
      equal(funding.committedAtto, BigInt(begun.length) * most);
      ok(funding.committedAtto + funding.spentAtto <= funding.fundedAtto);
      for (const { isBegun, attempts } of tasks.values()) ok(isBegun || attempts === 0);
    }
  }));

test('no more tasks are under way than may be, and those that wait are counted', () =>
  atEveryMoment(({ jobs, stepwise: funded }) => {
    equal(funded.size, jobs.size);
    for (const { funding, tasks, spec } of jobs.values()) {
      ok(spec.maxParallel === 0 || funding!.begun <= spec.maxParallel);
      const waiting = [...tasks.values()].filter(task => task.isBegun && waitingReplicas(task) > 0);
      equal(funding!.waiting, waiting.length);
    }
  }));

test('a pool comes back from its snapshot with the money of its jobs', () =>
  atEveryMoment(state => {
    const { stepwise: funded } = pool.snapshot!.decode(pool.snapshot!.encode(state));
    const moneyOf = (jobs: Pool['stepwise']) => [...jobs].map(({ jobId, funding }) => [jobId, funding]);
    alike(moneyOf(funded), moneyOf(state.stepwise));
  }));
