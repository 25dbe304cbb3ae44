import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import {
  addFunds,
  closeFor,
  declineFunds,
  most,
  noticeMs,
  queueFunded,
  stepwise,
} from './funding-examples.js';
import { needsTick, nextDueAt } from './place.js';
import { planJob } from './plan.js';
import {
  admit,
  after,
  at,
  closeJob,
  complete,
  grantsIn,
  patienceMs,
  poolId,
  queue,
  start,
  tick,
} from './pool-examples.js';

const told = (...commands: readonly PoolCommand[]) => {
  const { events, state } = after(admit('node_a'), admit('node_b'), ...commands);
  return { events, last: events.at(-1), state, job: state.jobs.get('job_1') };
};
const requestsIn = (events: readonly PoolEvent[]) =>
  events.flatMap(event => (event.type === 'FundsRequested' ? [event.data] : []));
const request = (number: number, tasks: number) => ({
  poolId,
  jobId: 'job_1',
  tenantId: 'tenant_1',
  number,
  amountAtto: BigInt(tasks) * most,
  leastAtto: most,
});
/** Their leases have started and completed. */
const doneFor = (events: readonly PoolEvent[]) =>
  grantsIn(events).flatMap(grant => [start(grant, at(10)), complete(grant, at(20))]);
/** Two of four tasks are paid for, and have their leases. */
const halfFunded = [queueFunded(stepwise(4), 2n * most), tick(at(0))];
const leasesDone = doneFor(told(...halfFunded).events);
const short = [...halfFunded, tick(at(1)), declineFunds(1, 2)];

describe('a job that is funded stepwise', () => {
  test('has as many tasks placed as are paid for, whatever they come to cost', () => {
    const { events } = told(queueFunded(stepwise(4), 3n * most - 1n), tick(at(0)), tick(at(1)));
    expect(grantsIn(events).map(({ taskId }) => taskId)).toEqual(['task_0', 'task_1']);
  });

  test('has its next tasks paid for as those have their leases, once', () => {
    expect(requestsIn(told(queueFunded(stepwise(4), 2n * most)).events)).toEqual([]);
    const { events, state } = told(...halfFunded, tick(at(1)), tick(at(2)));
    expect(requestsIn(events)).toEqual([request(1, 2)]);
    expect(needsTick(state, at(2))).toBe(false);
  });

  test('has nothing more paid for while a task that is paid for finds no room', () => {
    const large = stepwise(4, { requirements: { ...stepwise(1).requirements, cpuMillis: 2_000 } });
    const { events } = told(queueFunded(large, 3n * most), tick(at(0)), tick(at(1)));
    expect(grantsIn(events)).toHaveLength(2);
    expect(requestsIn(events)).toEqual([]);
  });

  test('goes on when its next tasks are paid for, with what there is for them', () => {
    const { events } = told(...halfFunded, tick(at(1)), addFunds(1, most), tick(at(2)), tick(at(3)));
    expect(grantsIn(events).map(({ taskId }) => taskId)).toEqual(['task_0', 'task_1', 'task_2']);
    expect(requestsIn(events)).toEqual([request(1, 2), request(2, 1)]);
  });

  test('is paid for once, however often that is told', () => {
    const { events, job } = told(...halfFunded, tick(at(1)), addFunds(1, most), addFunds(1, most));
    expect(events.filter(({ type }) => type === 'FundsAdded')).toHaveLength(1);
    expect(job?.funding?.fundedAtto).toBe(3n * most);
  });

  test('pays with what a task did not cost for the next', () => {
    const { events, job } = told(
      queueFunded(stepwise(3, { maxParallel: 1 }), most),
      tick(at(0)),
      closeFor('task_0', most / 4n),
      tick(at(1)),
    );
    expect(requestsIn(events)).toEqual([{ ...request(1, 1), amountAtto: most / 4n, leastAtto: most / 4n }]);
    expect(job?.funding).toMatchObject({ spentAtto: most / 4n, begun: 0, committedAtto: 0n });
    const second = told(...halfFunded, closeFor('task_0', 0n), tick(at(1)));
    expect(grantsIn(second.events).map(({ taskId }) => taskId)).toEqual(['task_0', 'task_1', 'task_2']);
  });

  test('has no more tasks under way than it may, and no more paid for', () => {
    const spec = stepwise(4, { maxParallel: 2 });
    const { events, job } = told(queueFunded(spec, 4n * most), tick(at(0)), tick(at(1)));
    expect(job?.funding?.begun).toBe(2);
    expect(requestsIn(events)).toEqual([]);
  });

  test('asks for a bounded number of tasks at a time', () => {
    const { events } = told(queueFunded(stepwise(1_000), most), tick(at(0)), tick(at(1)));
    expect(requestsIn(events)).toEqual([request(1, 64)]);
  });

  test('is as any other where it says so', () => {
    const spec = stepwise(3, {}, { mode: 'whole' });
    const { events, job } = told(queue('job_1', spec), tick(at(0)), tick(at(1)));
    expect(grantsIn(events)).toHaveLength(3);
    expect(job?.funding).toBeUndefined();
  });
});

describe('a job that is short of money', () => {
  test('has notice, which ends at a known time', () => {
    const { last, state } = told(...short);
    const missingAtto = most - 1n;
    const data = {
      poolId,
      jobId: 'job_1',
      number: 1,
      missingAtto,
      availableAtto: 1n,
      stopsAt: at(2 + noticeMs),
    };
    expect(last).toEqual({ type: 'FundsRunOut', data });
    expect(needsTick(state, at(2 + noticeMs))).toBe(true);
  });

  test('has nothing more placed, and what runs goes on', () => {
    const { events, state } = told(...short, tick(at(3)));
    expect(grantsIn(events)).toHaveLength(2);
    expect(state.leases.size).toBe(2);
  });

  test('is told so once', () => {
    const { events } = told(...short, declineFunds(1, 9));
    expect(events.filter(({ type }) => type === 'FundsRunOut')).toHaveLength(1);
  });

  test('goes on with the money that comes within its notice', () => {
    const { events, last, job } = told(...short, addFunds(1, 2n * most), tick(at(4)));
    expect(events).toContainEqual({
      type: 'FundsAdded',
      data: { poolId, jobId: 'job_1', number: 1, amountAtto: 2n * most, endsShortage: true },
    });
    expect(last).toMatchObject({ type: 'LeasesGranted', data: { grants: [{}, {}] } });
    expect(job?.funding).toMatchObject({ stopsAt: undefined, missingAtto: 0n });
  });

  test('is not short when the money overtakes the refusal', () => {
    const { events } = told(...halfFunded, tick(at(1)), addFunds(1, most), declineFunds(1, 2));
    expect(events.filter(({ type }) => type === 'FundsRunOut')).toEqual([]);
  });

  test('ends when its notice is over, and says what was done', () => {
    const done = [...short, ...leasesDone, closeFor('task_0', most - 3n), closeFor('task_1', most - 4n)];
    expect(told(...done, tick(at(1 + noticeMs))).last?.type).toBe('TaskClosed');
    const { last, state } = told(...done, tick(at(2 + noticeMs)));
    const detail = `2 of 4 tasks are done and cost ${2n * most - 7n} atto; ${most - 1n} atto were missing for another`;
    const data = { poolId, jobId: 'job_1', reason: 'insufficient_funds', detail, revoked: [] };
    expect(last).toEqual({ type: 'JobAbandoned', data });
    expect(state.stepwise.size).toBe(0);
  });

  test('that a budget keeps from going on says so, and names it, unless there is money for it meanwhile', () => {
    const budgeted = [...halfFunded, tick(at(1)), declineFunds(1, 2, 'job_1', 'digits')];
    const { last } = told(...budgeted);
    expect(last).toMatchObject({ type: 'FundsRunOut', data: { budgetId: 'digits', missingAtto: most - 1n } });
    const done = [...leasesDone, closeFor('task_0', most), closeFor('task_1', most)];
    expect(told(...budgeted, ...done, tick(at(2 + noticeMs))).last).toMatchObject({
      type: 'JobAbandoned',
      data: {
        reason: 'budget_exceeded',
        detail: expect.stringMatching(/were missing for another within budget digits$/),
      },
    });
    expect(told(...budgeted, addFunds(1, most)).job?.funding?.budgetId).toBeUndefined();
  });

  test('has what runs then finished, and judged, before it ends', () => {
    const over = tick(at(2 + noticeMs));
    const running = [...short, ...leasesDone.slice(0, 3)];
    expect(told(...running, closeFor('task_0', most), tick(at(20_000))).last?.type).not.toBe('JobAbandoned');
    const unjudged = [...short, ...leasesDone, closeFor('task_0', most), over];
    expect(told(...unjudged).last?.type).toBe('TaskClosed');
    expect(told(...unjudged, closeFor('task_1', most), over).last?.type).toBe('JobAbandoned');
  });

  test('waits without end where it is to pause', () => {
    const paused = [queueFunded(stepwise(2, {}, { onShortage: 'pause' }), most), tick(at(0)), tick(at(1))];
    const { last, state } = told(...paused, declineFunds(1, 2));
    expect(last?.type).toBe('FundsRunOut');
    expect(last?.data).not.toHaveProperty('stopsAt');
    expect(nextDueAt(state, at(60_000), patienceMs)).toBeUndefined();
    const year = at(365 * 86_400_000);
    const idle = [
      ...paused,
      declineFunds(1, 2),
      ...doneFor(told(...paused).events),
      closeFor('task_0', most),
    ];
    expect(told(...idle, tick(year)).last?.type).toBe('TaskClosed');
    expect(told(...idle, addFunds(1, most), tick(year)).last?.type).toBe('LeasesGranted');
  });

  test('has nothing left in the pool when it is cancelled', () => {
    const { state } = told(...short, closeJob('job_1', at(5)));
    expect([state.jobs.size, state.stepwise.size, state.waiting.size]).toEqual([0, 0, 0]);
    expect(told(...short, closeJob('job_1', at(5)), addFunds(1, most)).last?.type).toBe('JobClosed');
    expect(told(...short, closeJob('job_1', at(5)), declineFunds(1)).last?.type).toBe('JobClosed');
  });
});

describe('what the tasks that run at once are expected to cost', () => {
  const expected = (spec = stepwise(4)) =>
    planJob({ poolId, tenantId: 'tenant_1', spec, now: at(0) }, told().state).expectedCostAtto;

  test('is their price now, for as long as they are expected to last', () => {
    expect(expected(stepwise(4, { expectedDurationMs: 2_000 }))).toBe(4n * 2n * 5n);
    expect(expected(stepwise(4, { expectedDurationMs: 2_000, maxParallel: 3 }))).toBe(3n * 2n * 5n);
  });

  test('is at the cap where none of them would start', () => {
    const elsewhere = { ...stepwise(1).requirements, regions: ['us-east-1'] };
    expect(expected(stepwise(1, { expectedDurationMs: 2_000, requirements: elsewhere }))).toBe(2n * 10n);
  });
});
