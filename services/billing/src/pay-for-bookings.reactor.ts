import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { BookingMetered, PoolEvent } from '@astro/messages/scheduling';
import type { FeeTerms } from './account/fee.js';

/**
 * Booked capacity is paid whether it is used or not: all of it is set aside at once, what nodes held of it is charged
 * by the period, and the rest comes back after the last charge. The ledger knows a booking as it knows a service.
 */
export const payForBookings = (inForce: () => FeeTerms): Reactor<PoolEvent, AccountCommand> => ({
  name: 'billing.pay-for-bookings',
  reads: ['scheduling.pool'],

  react({ event: { type, data }, position: causePosition }) {
    switch (type) {
      case 'CapacityBooked': {
        const { tenantId, bookingId: jobId, amountAtto } = data;
        return [
          {
            to: toAccount(tenantId),
            type: 'ReserveFunds',
            data: { tenantId, jobId, amountAtto, causePosition },
          },
        ];
      }
      case 'BookingMetered':
        return chargesOf(data, inForce());
      case 'BookingEnded': {
        const { tenantId, bookingId: jobId, charges: expectedCharges } = data;
        const released = { tenantId, jobId, expectedCharges, causePosition };
        return [
          ...chargesOf(data, inForce()),
          { to: toAccount(tenantId), type: 'ReleaseFunds', data: released },
        ];
      }
      default:
        return [];
    }
  },
});

type Metered = Pick<BookingMetered, 'tenantId' | 'bookingId' | 'chargeNumber' | 'work'>;

const chargesOf = (
  { tenantId, bookingId, chargeNumber, work }: Metered,
  fees: FeeTerms,
): readonly Directed<AccountCommand>[] =>
  work.map((held, index) => ({
    to: toAccount(tenantId),
    type: 'ChargePeriod',
    data: {
      tenantId,
      jobId: bookingId,
      taskId: bookingId,
      chargeNumber: chargeNumber + index,
      work: held,
      ...fees,
    },
  }));

const toAccount = (id: string) => ({ type: 'billing.account', id }) as const;
