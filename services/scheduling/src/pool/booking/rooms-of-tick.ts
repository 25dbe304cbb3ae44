import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { PoolJob } from '../pool-job.js';
import type { Pool } from '../pool-state.js';
import { endsInTime, openBookingOf, roomOf } from './room-of-booking.js';

/** The bookings that jobs of one tick run in, each made when the first of them is placed. */
export class RoomsOfTick {
  readonly #rooms = new Map<string, PlacementEngine>();

  constructor(
    private readonly pool: Pool,
    private readonly now: Date,
  ) {}

  /** What the job's booking has left; undefined while the job may not run in it. */
  of(job: PoolJob): PlacementEngine | undefined {
    const booking = openBookingOf(this.pool, job);
    if (!booking || !endsInTime(booking, job.spec, this.now)) return undefined;
    const known = this.#rooms.get(booking.bookingId);
    if (known) return known;
    const room = roomOf(this.pool, booking);
    this.#rooms.set(booking.bookingId, room);
    return room;
  }
}
