const PLACES = 18;
const SECONDS_OF_HOUR = 3_600n;

/** Base units as ASTRO, with at most nine places: the rest is for machines. */
export function astro(atto: bigint | string): string {
  const units = BigInt(atto);
  const whole = units / 10n ** BigInt(PLACES);
  const rest = (units % 10n ** BigInt(PLACES)).toString().padStart(PLACES, '0').slice(0, 9);
  return `${whole}.${rest}`;
}

export const anHour = (attoPerSecond: bigint | string): string =>
  `${astro(BigInt(attoPerSecond) * SECONDS_OF_HOUR)} ASTRO an hour`;
