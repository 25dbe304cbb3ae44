const SECOND_MS = 1_000;

/** Bookings are paid by the whole second, so that no charge is rounded and all add up to what was set aside. */
export const isWholeSecond = (at: Date): boolean => at.getTime() % SECOND_MS === 0;
export const ceilSecondMs = (at: Date): number => Math.ceil(at.getTime() / SECOND_MS) * SECOND_MS;
export const floorSecondMs = (at: Date): number => Math.floor(at.getTime() / SECOND_MS) * SECOND_MS;
