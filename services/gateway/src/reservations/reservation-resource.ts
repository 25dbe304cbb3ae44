import { findUsage } from '@astro/read-models/billing/usage';
import { findBooking, type Booking } from '@astro/read-models/scheduling/bookings';
import type { EntityManager } from '@mikro-orm/postgresql';
import { toRequirementsResource } from '../jobs/requirements.schema.js';
import type { Reservation } from './reservations.schema.js';

/** The tenant's booking as the API shows it, with what was charged for it by now. */
export async function findReservation(
  em: EntityManager,
  tenantId: string,
  bookingId: string,
): Promise<Reservation | undefined> {
  const booking = await findBooking(em, tenantId, bookingId);
  if (!booking) return undefined;
  const usage = await findUsage(em, tenantId, bookingId);
  return { ...toReservation(booking), chargedAtto: (usage?.chargedAtto ?? 0n).toString() };
}

export function toReservation(booking: Booking): Omit<Reservation, 'chargedAtto'> {
  const { requirements, topology, hasDistinctOperators: distinctOperators } = booking.spec;
  return {
    id: booking.bookingId,
    status: booking.status,
    ...(booking.reason && booking.reason !== 'unspecified' && { reason: booking.reason }),
    requirements: toRequirementsResource(requirements),
    units: booking.units.map(({ number, nodeId, operatorId, pricePerSecondAtto }) => ({
      number,
      ...(nodeId !== '' && { nodeId, operatorId }),
      pricePerSecondAtto,
    })),
    topology: topology === 'unspecified' ? 'any' : topology,
    distinctOperators,
    startsAt: booking.startsAt.toISOString(),
    endsAt: booking.endsAt.toISOString(),
    amountAtto: booking.amountAtto.toString(),
    bookedAt: booking.createdAt.toISOString(),
    ...(booking.endedAt && { endedAt: booking.endedAt.toISOString() }),
  };
}
