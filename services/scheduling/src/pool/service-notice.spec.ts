import { describe, expect, test } from '@jest/globals';
import { costAtto } from '@astro/matching/cost';
import type { JobSpec, PoolCommand, PoolEvent, Service } from '@astro/messages/scheduling';
import { admit, after, at, grantsIn, poolId, queue, start, tick } from './pool-examples.js';
import { LEASE_GRACE_MS } from './pool-limits.js';
import { periodMs, report, serving } from './service-examples.js';

const noticeMs = 60_000;
const funding = { mode: 'whole', onShortage: 'notice_then_stop', noticeMs } as const;
/** The cap is 10 a second and the price 5; what one replica holds for the case that it falls silent. */
const reserve = costAtto(periodMs + LEASE_GRACE_MS, 10n);
const one = (changes: Partial<Service>): JobSpec => ({
  ...serving({ replicasMin: 1, replicasMax: 1, ...changes }),
  funding,
});

/** The one replica reports after each period, until there is nothing more to report. */
function served(spec: JobSpec, periods: number, busyMs = 5_000): readonly PoolEvent[] {
  const commands: PoolCommand[] = [admit('node_a'), admit('node_b'), queue('job_s', spec), tick(at(0))];
  const [grant] = grantsIn(after(...commands).events);
  commands.push(start(grant!, at(0)));
  for (let period = 1; period <= periods; period += 1) {
    if (after(...commands).events.at(-1)?.type === 'JobAbandoned') break;
    commands.push(report(grant!, period * periodMs, busyMs));
  }
  return after(...commands).events;
}
const noticesIn = (events: readonly PoolEvent[]) =>
  events.flatMap(event => (event.type === 'FundsRunOut' ? [event.data] : []));

describe('a service whose budget will be used up', () => {
  const forNotice = costAtto(noticeMs + periodMs + LEASE_GRACE_MS, 10n);

  test('is told while there is time for a whole notice, once', () => {
    const budgetAtto = reserve + forNotice + 2n * costAtto(periodMs, 5n) - 1n;
    expect(noticesIn(served(one({ budgetAtto }), 1))).toEqual([]);
    const [notice, ...more] = noticesIn(served(one({ budgetAtto }), 4));
    expect(more).toEqual([]);
    const spare = forNotice - 1n;
    expect(notice).toEqual({
      poolId,
      jobId: 'job_s',
      number: 1,
      missingAtto: costAtto(periodMs, 10n),
      availableAtto: reserve + spare,
      stopsAt: at(2 * periodMs + Number(spare * 100n)),
    });
    expect(notice!.stopsAt!.getTime()).toBeGreaterThanOrEqual(at(2 * periodMs + noticeMs).getTime());
  });

  test('goes on until then at least, and ends when it is', () => {
    const events = served(one({ budgetAtto: reserve + forNotice }), 100);
    const [notice] = noticesIn(events);
    const renewals = events.flatMap(event => (event.type === 'LeaseRenewed' ? [event.data.renewedAt] : []));
    expect(events.at(-1)).toMatchObject({ type: 'JobAbandoned', data: { reason: 'insufficient_funds' } });
    expect(renewals.at(-1).getTime()).toBeGreaterThanOrEqual(notice!.stopsAt!.getTime());
  });

  test('does not grow so far that there is no time for it', () => {
    const budgetAtto = reserve + 2n * forNotice + costAtto(periodMs, 5n);
    const spec = one({ budgetAtto, replicasMax: 4, targetBusyThousandths: 250 });
    const scaledTo = (job: JobSpec) =>
      served(job, 1, periodMs).flatMap(({ type, data }) => (type === 'ServiceScaled' ? [data.replicas] : []));
    expect(scaledTo(spec)).toEqual([2]);
    const { funding: _funding, ...silent } = spec;
    expect(scaledTo(silent)).toEqual([4]);
  });

  test('is told nothing where it did not say how it is funded', () => {
    const { funding: _funding, ...silent } = one({ budgetAtto: reserve + 1n });
    expect(noticesIn(served(silent, 3))).toEqual([]);
  });
});
