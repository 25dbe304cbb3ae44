import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountEvent } from '@astro/messages/billing';
import type { PoolCommand } from '@astro/messages/scheduling';

/** The ledger keeps money for jobs and for bookings alike, by their ids. */
export const isBookingId = (id: string): boolean => id.startsWith('booking_');

/**
 * A booking is confirmed once all of its money is set aside, and dropped when it cannot be.
 * @param poolId the pool of all bookings, which the ledger does not know
 */
export const confirmFundedBookings = (poolId: string): Reactor<AccountEvent, PoolCommand> => ({
  name: 'scheduling.confirm-funded-bookings',
  reads: ['billing.account'],

  react({ event: { type, data }, recordedAt: at }) {
    if (type !== 'FundsReserved' && type !== 'ReservationDeclined') return [];
    const { jobId: bookingId } = data;
    if (!isBookingId(bookingId)) return [];
    const to = { type: 'scheduling.pool', id: poolId } as const;
    return type === 'FundsReserved'
      ? [{ to, type: 'ConfirmBooking', data: { poolId, bookingId } }]
      : [{ to, type: 'DropBooking', data: { poolId, bookingId, at } }];
  },
});
