import type { BookedUnit, BookingSpec, PoolEvent } from '@astro/messages/scheduling';
import { plainRequirements } from '@astro/messages/unconstrained';

const spec: BookingSpec = {
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 100,
    memoryMib: 16,
    maxPricePerSecondAtto: 10n ** 20n,
  },
  units: 2,
  topology: 'any',
  hasDistinctOperators: false,
  startsAt: new Date(2_000_000),
  endsAt: new Date(9_000_000),
};
const unit = (number: number, nodeId: string): BookedUnit => ({
  number,
  nodeId,
  operatorId: `operator_of_${nodeId}`,
  pricePerSecondAtto: 7n,
  held: [{ device: 0, shareThousandths: 1_000 }],
});
const booked = (bookingId: string, tenantId: string): PoolEvent => ({
  type: 'CapacityBooked',
  data: {
    poolId: 'main',
    bookingId,
    tenantId,
    spec,
    startsAt: new Date(2_000_000),
    units: [unit(1, 'node_1'), unit(2, 'node_2')],
    amountAtto: 98_000n,
    bookedAt: new Date(1_000_000),
  },
});
const first = { poolId: 'main', bookingId: 'booking_1', tenantId: 'tenant_1' };
const second = { ...first, bookingId: 'booking_2' };

/** One that runs, of which a unit has moved and another is away; one that was cancelled; and another tenant's. */
export const bookingHistory: readonly PoolEvent[] = [
  booked('booking_1', 'tenant_1'),
  booked('booking_2', 'tenant_1'),
  booked('booking_3', 'tenant_2'),
  { type: 'BookingConfirmed', data: first },
  { type: 'BookingStarted', data: { ...first, startedAt: new Date(2_000_001) } },
  {
    type: 'BookingMoved',
    data: { ...first, units: [unit(2, 'node_3')], away: [1], movedAt: new Date(3_000_000) },
  },
  {
    type: 'BookingMetered',
    data: { ...first, chargeNumber: 1, work: [], meteredUntil: new Date(5_600_000) },
  },
  {
    type: 'BookingEnded',
    data: {
      ...second,
      reason: 'cancelled',
      chargeNumber: 1,
      work: [],
      charges: 0,
      revoked: [],
      endedAt: new Date(1_500_000),
    },
  },
];
