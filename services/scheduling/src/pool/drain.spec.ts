import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import {
  admit,
  after,
  at,
  complete,
  grantsIn,
  queue,
  specOf,
  start,
  tick,
  timeLimitMs,
} from './pool-examples.js';
import { pool } from './pool.js';
import { report, serving } from './service-examples.js';

const forever = new Date('9999-12-31T23:59:59Z');
/** As the registry sends it: the node is in maintenance from the word of its operator on. */
function drained(sinceMs: number, noticeMs?: number): PoolCommand {
  const command = admit('node_a', { maintenance: [{ from: at(sinceMs), until: forever }] });
  if (command.type !== 'AdmitNode') throw new Error('a node is admitted');
  const until = noticeMs === undefined ? {} : { noticeUntil: at(sinceMs + noticeMs) };
  return { ...command, data: { ...command.data, at: at(sinceMs), ...until } };
}
const one = specOf(['task_1'], {}, 1);
const placed = [admit('node_a'), queue('job_1', one), tick(at(0))];
const [grant] = grantsIn(after(...placed).events);
const only = (type: PoolEvent['type'], events: readonly PoolEvent[]) =>
  events.filter(event => event.type === type);

describe('a node that is drained', () => {
  test('gets nothing more, and gets work again once it is no more', () => {
    const waiting = [admit('node_a'), drained(0), queue('job_1', one), tick(at(1))];
    expect(grantsIn(after(...waiting).events)).toEqual([]);
    expect(grantsIn(after(...waiting, admit('node_a'), tick(at(2))).events)).toHaveLength(1);
  });

  test('finishes what it runs where no notice is given', () => {
    const { events, state } = after(...placed, start(grant!, at(1)), drained(2), tick(at(3)));
    expect(only('LeasesPreempted', events)).toEqual([]);
    expect(state.leases.has(grant!.leaseId)).toBe(true);
    expect(pool.decide(complete(grant!, at(4)), state).accepted).toBe(true);
  });

  test('has what lasts longer than the notice told, on demand too, and taken back when it is over', () => {
    const { events } = after(...placed, start(grant!, at(1)), drained(2, 1_000));
    expect(only('LeasesPreempted', events)).toMatchObject([
      {
        data: {
          leases: [{ leaseId: grant!.leaseId }],
          noticeUntil: at(1_002),
          forDrainOfNodeId: 'node_a',
        },
      },
    ]);
    const over = after(...placed, start(grant!, at(1)), drained(2, 1_000), tick(at(1_003)));
    expect(over.events.at(-1)).toMatchObject({
      type: 'LeasesRevoked',
      data: { leases: [{ leaseId: grant!.leaseId }] },
    });
    expect(over.state.jobs.get('job_1')!.tasks.get('task_1')!.failedOn.size).toBe(0);
  });

  test('may complete until the end of the notice', () => {
    const { state } = after(...placed, start(grant!, at(1)), drained(2, 1_000));
    expect(pool.decide(complete(grant!, at(1_000)), state)).toMatchObject({ accepted: true });
  });

  test('is told once, and not of what ends earlier by itself', () => {
    const twice = after(...placed, drained(2, 1_000), drained(2, 1_000));
    expect(only('LeasesPreempted', twice.events)).toHaveLength(1);
    const late = after(...placed, drained(2, 10 * timeLimitMs));
    expect(only('LeasesPreempted', late.events)).toEqual([]);
  });

  test('keeps no replica beyond the notice, however long its lease is', () => {
    const service = [admit('node_a'), queue('job_s', serving({ replicasMin: 1 })), tick(at(0))];
    const [replica] = grantsIn(after(...service).events);
    const told = [...service, start(replica!, at(1)), drained(2, 600_000), report(replica!, 10_001)];
    const { events, state } = after(...told);
    expect(only('LeasesPreempted', events)).toHaveLength(1);
    expect(state.leases.get(replica!.leaseId)!.deadline).toEqual(at(600_002));
  });
});
