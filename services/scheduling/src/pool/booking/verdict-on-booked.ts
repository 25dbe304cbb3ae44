import type { JobFailure, JobSpec } from '@astro/messages/scheduling';
import { placeWhole } from '../gang.js';
import type { Pool } from '../pool-state.js';
import { requestFor } from '../request.js';
import type { WaitingGroup } from '../waiting-group.js';
import { isHoused, type Booking } from './booking.js';
import { endsInTime, roomOf } from './room-of-booking.js';

type Verdict = { readonly reason: JobFailure; readonly detail: string } | undefined;

/** Why what cites a booking can never begin in it any more. */
export function tooLateForBooking({ bookings }: Pool, spec: JobSpec, now: Date): Verdict {
  const { bookingId, program } = spec;
  if (bookingId === undefined) return undefined;
  const booking = bookings.get(bookingId);
  const reason = 'booking_unavailable';
  if (!booking) return { reason, detail: `reservation ${bookingId} has ended` };
  if (endsInTime(booking, spec, now)) return undefined;
  const until = booking.spec.endsAt.toISOString();
  return {
    reason,
    detail: `it may run for ${program.timeLimitMs} ms, reservation ${bookingId} ends at ${until}`,
  };
}

/** Why it would find no room even if nothing else ran in the booking; a unit that is away may come back. */
export function verdictOnBooked(pool: Pool, booking: Booking, group: WaitingGroup, now: Date): Verdict {
  if (!booking.isStarted || !booking.units.every(isHoused) || fitsAlone(pool, booking, group, now))
    return undefined;
  const reason = group.nodesExcluded.size > 0 ? 'attempts_exhausted' : 'no_eligible_node';
  return { reason, detail: `reservation ${booking.bookingId} has no room for it, whatever else runs there` };
}

function fitsAlone(pool: Pool, booking: Booking, group: WaitingGroup, now: Date): boolean {
  const room = roomOf(pool, booking, 'none');
  const { gang } = group.spec;
  const requests = [...group.tasks].map(task => requestFor(pool, task, now));
  if (gang) return placeWhole(room, group.key, requests, gang.topology).length > 0;
  const { kinship } = pool;
  const operatorsExcluded = new Set(kinship.withRelatives(group.operatorsExcluded, ['collusion']));
  for (let replica = 1; replica <= group.replicas; replica += 1) {
    const placed = room.place({ ...requests[0]!, operatorsExcluded });
    if (placed === 'NoNodeFits') return false;
    kinship.addWithRelatives(placed.operatorId, operatorsExcluded, ['collusion']);
  }
  return true;
}

/** Another text whenever another verdict may be due. */
export const basisOfBooked = ({ isStarted, units }: Booking): string =>
  `${isStarted} ${units.map(({ home }) => home?.nodeId).join(' ')}`;
