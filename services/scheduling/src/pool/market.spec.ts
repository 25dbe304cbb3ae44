import { describe, expect, test } from '@jest/globals';
import type { JobSpec, PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { PRICE_PERIOD_MS } from './market.js';
import { nextDueAt } from './place.js';
import { planJob } from './plan.js';
import {
  admit,
  after,
  at,
  complete,
  grantsIn,
  patienceMs,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';

const price = (bidAtto: bigint) => ({ maxPricePerSecondAtto: bidAtto });
const onDemand = (taskId: string, bidAtto = 100n, cpuMillis = 1_000): JobSpec =>
  specOf([taskId], { ...price(bidAtto), cpuMillis }, 1);
const interruptible = (taskId: string, bidAtto: bigint, cpuMillis = 1_000): JobSpec => ({
  ...onDemand(taskId, bidAtto, cpuMillis),
  leaseClass: 'interruptible',
});
const reserved = (taskId: string, bidAtto = 100n): JobSpec => ({
  ...onDemand(taskId, bidAtto),
  leaseClass: 'reserved',
});
/** Of four tasks that hold a core each. */
const node = (nodeId = 'node_a', pricePerSecondAtto = 40n, interruptibleAtto?: bigint): PoolCommand => {
  const command = admit(nodeId, {
    pricePerSecondAtto,
    ...(interruptibleAtto !== undefined && { interruptiblePricePerSecondAtto: interruptibleAtto }),
  });
  if (command.type !== 'AdmitNode') throw new Error('another command');
  const { offer } = command.data;
  const inventory = { ...offer.inventory, cpuMillis: 4_000 };
  return { ...command, data: { ...command.data, offer: { ...offer, inventory } } };
};
const jobs = (...specs: readonly JobSpec[]): readonly PoolCommand[] =>
  specs.map((spec, index) => queue(`job_${spec.tasks[0]!.taskId}`, spec, at(index)));
const pricesOf = (events: readonly PoolEvent[]) =>
  Object.fromEntries(grantsIn(events).map(({ taskId, pricePerSecondAtto }) => [taskId, pricePerSecondAtto]));
const surges = (events: readonly PoolEvent[]) =>
  events.flatMap(({ type, data }) =>
    type === 'LeasesGranted'
      ? data.prices.flatMap(({ deviceKind, surgeThousandths }) =>
          deviceKind === 'cpu' ? surgeThousandths : [],
        )
      : [],
  );
const period = (count: number) => at(count * PRICE_PERIOD_MS);

describe('the posted price', () => {
  const threeOfFour = [node(), ...jobs(onDemand('a'), onDemand('b'), onDemand('c')), tick(period(0))];

  test('is the node’s own in an idle pool, and part of the event with the version of its rules', () => {
    const { events } = after(...threeOfFour);
    expect(pricesOf(events)).toEqual({ a: 40n, b: 40n, c: 40n });
    expect(events.at(-1)).toMatchObject({ data: { marketVersion: 2, prices: { length: 4 } } });
  });

  test('rises with the use, by no more than a quarter in each period, and is locked at the grant', () => {
    const { events, state } = after(...threeOfFour, ...jobs(onDemand('d')), tick(period(1)));
    expect(surges(events)).toEqual([1_000, 1_250]);
    expect(pricesOf(events)).toEqual({ a: 40n, b: 40n, c: 40n, d: 50n });
    expect([...state.leases.values()].map(lease => lease.pricePerSecondAtto)).toEqual([40n, 40n, 40n, 50n]);
  });

  test('arrives at what three quarters are worth: half of the node’s own more', () => {
    const { events } = after(...threeOfFour, ...jobs(onDemand('d')), tick(period(3)));
    expect(surges(events)).toEqual([1_000, 1_500]);
  });

  test('falls when the use does, and a task whose cap it was above is placed then', () => {
    const full = [...threeOfFour, ...jobs(onDemand('d')), tick(period(2))];
    const ended = grantsIn(after(...full).events)
      .slice(0, 2)
      .flatMap(grant => [start(grant, period(2)), complete(grant, period(2))]);
    const waits = after(...full, ...ended, ...jobs(onDemand('e', 46n)), tick(period(2)));
    expect(pricesOf(waits.events)).toEqual({ a: 40n, b: 40n, c: 40n, d: 60n });
    expect(nextDueAt(waits.state, period(2), 10 ** 9)).toEqual(period(3));
    const { events } = after(...full, ...ended, ...jobs(onDemand('e', 46n)), tick(period(3)));
    expect(pricesOf(events)).toMatchObject({ e: 45n });
  });

  test('of reserved work is a quarter higher', () =>
    expect(pricesOf(after(node(), ...jobs(reserved('a')), tick(at(9))).events)).toEqual({ a: 50n }));

  test('does not give up a job that only it keeps out, but does one that no idle node is cheap enough for', () => {
    const late = [...threeOfFour, ...jobs(onDemand('d', 44n)), tick(at(3 * patienceMs))];
    expect(after(...late).events.some(({ type }) => type === 'JobAbandoned')).toBe(false);
    const events = after(node(), ...jobs(reserved('a', 49n)), tick(at(3 * patienceMs))).events;
    expect(events.at(-1)).toMatchObject({ type: 'JobAbandoned', data: { reason: 'price_cap_unmet' } });
  });
});

describe('the auction', () => {
  test('goes to the highest bids, after all else; with nobody outbid what the node asks for it is paid', () => {
    const { events } = after(
      node(),
      ...jobs(interruptible('a', 90n), onDemand('b'), reserved('c')),
      tick(at(9)),
    );
    expect(grantsIn(events).map(({ taskId }) => taskId)).toEqual(['c', 'b', 'a']);
    expect(pricesOf(events)).toEqual({ a: 20n, b: 40n, c: 50n });
  });

  test('has one price, which the highest of those that lost sets', () => {
    const two = [node(), ...jobs(onDemand('x'), onDemand('y', 100n, 1_500)), tick(at(9))];
    const bids = jobs(
      ...[41n, 47n, 60n, 52n].map((bidAtto, index) => interruptible(`bid_${index}`, bidAtto, 700)),
    );
    const { events } = after(...two, ...bids, tick(period(4)));
    // Two of four find room. The use was 62.5 %, which posts 1,125 of 1,000: 45 on demand.
    expect(pricesOf(events)).toEqual({ x: 40n, y: 40n, bid_2: 45n, bid_3: 45n });
    const cheaper = jobs(
      ...[41n, 43n, 60n, 52n].map((bidAtto, index) => interruptible(`bid_${index}`, bidAtto, 700)),
    );
    const lower = after(...two, ...cheaper, tick(period(4))).events;
    expect(pricesOf(lower)).toMatchObject({ bid_2: 43n, bid_3: 43n });
    expect(lower.at(-1)).toMatchObject({
      data: { prices: [{ deviceKind: 'cpu', clearingPriceAtto: 43n }, {}, {}, {}] },
    });
  });

  test('a bid goes where least is asked for what may be stopped, whatever the price on demand there', () => {
    const nodeFor = (spec: JobSpec) => {
      const fleet = [node('node_a', 40n, 30n), node('node_b', 44n, 20n)];
      return grantsIn(after(...fleet, ...jobs(spec), tick(at(9))).events)[0]?.nodeId;
    };
    expect(nodeFor(interruptible('a', 90n))).toBe('node_b');
    expect(nodeFor(onDemand('a'))).toBe('node_a');
  });

  test('a bid below what a node asks gets nothing of it', () => {
    const bidOf = (bidAtto: bigint, ...fleet: readonly PoolCommand[]) =>
      pricesOf(after(...fleet, ...jobs(interruptible('a', bidAtto)), tick(at(9))).events);
    expect(bidOf(19n, node())).toEqual({});
    expect(bidOf(20n, node())).toEqual({ a: 20n });
    expect(bidOf(29n, node('node_a', 40n, 30n))).toEqual({});
    expect(bidOf(31n, node('node_a', 40n, 30n), node('node_b', 40n, 32n))).toEqual({ a: 30n });
  });

  test('a bid below what a node asks on demand gets what the node asks for what may be stopped', () => {
    const { events } = after(
      node('node_a', 40n, 10n),
      ...jobs(interruptible('a', 15n), onDemand('b', 15n)),
      tick(at(9)),
    );
    expect(pricesOf(events)).toEqual({ a: 10n });
  });

  test('a bid that fits nowhere neither wins, nor sets the price, nor holds up the others', () => {
    const bids = jobs(interruptible('large', 90n, 4_000), interruptible('small', 50n));
    expect(pricesOf(after(node(), ...jobs(onDemand('x')), ...bids, tick(at(9))).events)).toEqual({
      x: 40n,
      small: 20n,
    });
  });
});

describe('a plan', () => {
  const busy = after(node(), ...jobs(onDemand('x'), onDemand('y'), onDemand('z')), tick(period(0))).state;
  const planOf = (spec: JobSpec) => planJob({ poolId, tenantId: 'tenant_1', spec, now: period(9) }, busy);

  test.each<[string, JobSpec, bigint]>([
    ['on demand', onDemand('p'), 60n],
    ['reserved', reserved('p'), 75n],
    ['interruptible', interruptible('p', 100n), 20n],
  ])('shows the price of now: %s', (_class, spec, pricePerSecondAtto) =>
    expect(planOf(spec)).toMatchObject({ surgeThousandths: 1_500, placements: [{ pricePerSecondAtto }] }),
  );

  test('counts on nobody’s room where the price is above the cap', () =>
    expect(planOf(onDemand('p', 59n))).toMatchObject({ startsNow: 0, eligibleNodes: 1 }));
});
