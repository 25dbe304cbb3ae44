import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { admit, after, at, attested, grantsIn, offerOf, queue, tick } from '../pool-examples.js';
import { pool } from '../pool.js';
import {
  book,
  bookingOf,
  cancel,
  citing,
  comes,
  confirm,
  HOUR,
  lastOf,
  leaves,
  MINUTE,
  only,
  SECOND,
} from './booking-examples.js';
import { amountOf } from './booking.js';

/** Who was charged for, and for how many seconds. */
const secondsIn = (events: readonly PoolEvent[]) =>
  events.flatMap(({ type, data }) =>
    type === 'BookingMetered' || type === 'BookingEnded'
      ? data.work.map(({ nodeId, meteredMs }) => [nodeId, meteredMs / SECOND] as const)
      : [],
  );
const started = [admit('node_a'), book(), confirm(), tick(at(HOUR + 1))];
const refusal = (command: PoolCommand, ...before: readonly PoolCommand[]) => {
  const decision = pool.decide(command, after(...before).state);
  return decision.accepted ? decision.events.length : decision.rejection;
};

describe('what is booked is charged', () => {
  test('at the end of each hour and of the whole, used or not, exactly what was set aside', () => {
    const { events } = after(...started, tick(at(2 * HOUR + 1)), tick(at(3 * HOUR + 1)));
    expect(events.slice(-2)).toMatchObject([
      { type: 'BookingMetered', data: { chargeNumber: 1, meteredUntil: at(2 * HOUR) } },
      { type: 'BookingEnded', data: { reason: 'completed', chargeNumber: 2, charges: 2 } },
    ]);
    expect(secondsIn(events)).toEqual([
      ['node_a', 3_600],
      ['node_a', 3_600],
    ]);
    const [{ units, amountAtto }] = only('CapacityBooked', events) as [never];
    expect(amountAtto).toBe(amountOf(bookingOf(), at(HOUR), units));
  });

  test('and no later tick, or several at once, charges anything twice', () => {
    const { events } = after(...started, tick(at(3 * HOUR + 1)));
    expect(secondsIn(events)).toEqual([['node_a', 7_200]]);
    expect(lastOf(...started, tick(at(2 * HOUR + 1)), tick(at(2 * HOUR + 2)))).toEqual([]);
  });

  test('when cancelled, for what has begun and a quarter of an hour more, and not beyond the end', () => {
    const cancelledAt = (ms: number) => secondsIn(lastOf(...started, cancel(at(ms))));
    expect(cancelledAt(HOUR + 10 * MINUTE + 1)).toEqual([['node_a', 25 * 60 + 1]]);
    const late = [...started, tick(at(2 * HOUR + 1)), cancel(at(3 * HOUR - MINUTE))];
    expect(secondsIn(lastOf(...late))).toEqual([['node_a', 3_600]]);
  });

  test('when cancelled before the start, only as far as the notice reaches beyond it', () => {
    const paid = (ms: number) => secondsIn(lastOf(admit('node_a'), book(), confirm(), cancel(at(ms))));
    expect(paid(45 * MINUTE)).toEqual([]);
    expect(paid(50 * MINUTE)).toEqual([['node_a', 5 * 60]]);
  });

  test('a cancellation is repeated without effect; another tenant’s booking is as good as none', () => {
    const cancelled = [...started, cancel(at(HOUR + MINUTE))];
    expect(refusal(cancel(at(HOUR + MINUTE)), ...cancelled)).toBe(0);
    expect(refusal(cancel(at(HOUR), 'booking_1', 'tenant_2'), ...started)).toBe('BookingNotFound');
    expect(refusal(cancel(at(HOUR), 'booking_1', 'tenant_2'), ...cancelled)).toBe('BookingNotFound');
    expect(refusal(cancel(at(HOUR)), ...started, tick(at(3 * HOUR + 1)))).toBe('BookingHasEnded');
  });
});

describe('a node that goes away with a unit', () => {
  const gone = [...started, leaves('node_a', at(HOUR + 10 * MINUTE + 700))];

  test('is paid for the whole seconds that it was there, and nobody for the time without one', () => {
    const away = [...gone, tick(at(HOUR + 10 * MINUTE + 800))];
    expect(only('BookingMoved', lastOf(...away))).toMatchObject([{ units: [], away: [1] }]);
    expect(lastOf(...away, tick(at(HOUR + 11 * MINUTE)))).toEqual([]);
    expect(secondsIn(lastOf(...away, tick(at(2 * HOUR + 1))))).toEqual([['node_a', 600]]);
  });

  test('leaves it to another that fits, at the same price, from the next whole second on', () => {
    const replaced = [
      ...gone,
      admit('node_b', { pricePerSecondAtto: 4n }),
      tick(at(HOUR + 10 * MINUTE + 900)),
    ];
    expect(only('BookingMoved', lastOf(...replaced))).toMatchObject([
      { units: [{ number: 1, nodeId: 'node_b', pricePerSecondAtto: 7n }], away: [] },
    ]);
    expect(secondsIn(lastOf(...replaced, tick(at(2 * HOUR + 1))))).toEqual([
      ['node_a', 600],
      ['node_b', 2_999],
    ]);
    const dearer = [...gone, admit('node_b', { pricePerSecondAtto: 6n }), tick(at(HOUR + 11 * MINUTE))];
    expect(only('BookingMoved', lastOf(...dearer))).toMatchObject([{ units: [], away: [1] }]);
  });

  test('gets it back when it comes back, and is paid again from then on', () => {
    const back = [...gone, comes('node_a', at(HOUR + 20 * MINUTE)), tick(at(HOUR + 20 * MINUTE))];
    expect(secondsIn(lastOf(...back, tick(at(2 * HOUR + 1))))).toEqual([
      ['node_a', 600],
      ['node_a', 2_400],
    ]);
  });

  test('has its work placed anew in the booking when that has moved', () => {
    const working = [...started, admit('node_b'), queue('job_1', citing(['x'])), tick(at(HOUR + 2))];
    const left = [...working, leaves('node_a', at(HOUR + 3)), tick(at(HOUR + 4)), tick(at(HOUR + 5))];
    expect(grantsIn(lastOf(...left))).toMatchObject([
      { jobId: 'job_1', nodeId: 'node_b', pricePerSecondAtto: 0n },
    ]);
  });
});

describe('a node that comes anew', () => {
  const working = [...started, queue('job_1', citing(['x'])), tick(at(HOUR + 2))];
  const { inventory } = offerOf('node_a');

  test('as it was, keeps the unit and what runs in it', () => {
    const same = admit('node_a', { pricePerSecondAtto: 9n, region: 'de-fra' });
    expect(only('NodeAdmitted', lastOf(...working, same))).toMatchObject([{ revoked: [] }]);
    expect(lastOf(...working, same, tick(at(HOUR + 3)))).toEqual([]);
  });

  test('with other hardware loses both, and has the unit again if it fits there', () => {
    const grown = admit('node_a', { inventory: { ...inventory, memoryMib: 8_192 } });
    expect(only('NodeAdmitted', lastOf(...working, grown))[0]!.revoked).toHaveLength(1);
    expect(only('BookingMoved', lastOf(...working, grown, tick(at(HOUR + 3))))).toMatchObject([
      { units: [{ nodeId: 'node_a' }], away: [] },
    ]);
    const shrunk = admit('node_a', { inventory: { ...inventory, cpuMillis: 500 } });
    expect(only('BookingMoved', lastOf(...working, shrunk, tick(at(HOUR + 3))))).toMatchObject([
      { units: [], away: [1] },
    ]);
  });

  test('or whose evidence expires, loses what asks for it', () => {
    const proved = attested(admit('node_a'), 'tdx', at(0), HOUR + MINUTE);
    const spec = bookingOf({}, { attestations: ['tdx'] });
    const attestedWork = [proved, book('booking_1', spec), confirm(), tick(at(HOUR + 1))];
    const inIt = [...attestedWork, queue('job_1', citing(['x'])), tick(at(HOUR + 2))];
    const expired = [...inIt, tick(at(HOUR + MINUTE))];
    expect(only('AttestationsExpired', lastOf(...expired))[0]!.revoked).toHaveLength(1);
    expect(only('BookingMoved', lastOf(...expired, tick(at(HOUR + MINUTE))))).toMatchObject([{ away: [1] }]);
    expect(secondsIn(lastOf(...expired, tick(at(HOUR + MINUTE)), tick(at(2 * HOUR + 1))))).toEqual([
      ['node_a', 60],
    ]);
  });
});
