import type { PlacementEngine, Placement } from './engine.js';
import { placeGang, type GangRefusal } from './gang.js';
import type { GangRequest } from './request.js';

/** Reservations at a time; each may be of a whole gang. */
const reservationsMax = 10_000;

export type ReserveOutcome = readonly Placement[] | GangRefusal | 'AlreadyReserved' | 'TooManyReservations';

/** Capacity that is held for a gang which does not run yet, by the gang's id. */
export class Reservations {
  private readonly held = new Map<string, readonly Placement[]>();

  constructor(private readonly engine: PlacementEngine) {}

  /** Takes what the gang needs now, so that nobody else is placed there. */
  reserve(gang: GangRequest): ReserveOutcome {
    if (this.held.has(gang.gangId)) return 'AlreadyReserved';
    if (this.held.size >= reservationsMax) return 'TooManyReservations';
    const outcome = placeGang(this.engine, gang);
    if (typeof outcome !== 'string') this.held.set(gang.gangId, outcome);
    return outcome;
  }

  /** The gang begins: its placements are leases from now on, which their owner releases. */
  redeem(gangId: string): readonly Placement[] | 'NotReserved' {
    const placements = this.held.get(gangId);
    this.held.delete(gangId);
    return placements ?? 'NotReserved';
  }

  /** Gives back what is reserved. */
  cancel(gangId: string): 'cancelled' | 'NotReserved' {
    const placements = this.held.get(gangId);
    if (!placements) return 'NotReserved';
    for (const { hold } of placements) this.engine.release(hold);
    this.held.delete(gangId);
    return 'cancelled';
  }
}
