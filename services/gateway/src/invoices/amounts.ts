const DIGITS = 18;
const ONE_ASTRO = 10n ** BigInt(DIGITS);

/** Whole and fraction of an amount in ASTRO, all 18 places of it: sums are exact on paper as well. */
export function partsOf(amountAtto: bigint): { readonly whole: string; readonly fraction: string } {
  const whole = (amountAtto / ONE_ASTRO).toString().replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return { whole, fraction: (amountAtto % ONE_ASTRO).toString().padStart(DIGITS, '0') };
}

/** In ASTRO, without zeros that say nothing. */
export function inAstro(amountAtto: bigint): string {
  const { whole, fraction } = partsOf(amountAtto);
  const told = fraction.replace(/0+$/, '');
  return told === '' ? whole : `${whole}.${told}`;
}

const MS_PER_HOUR = 3_600_000n;

/** What an hour cost on average, in base units rounded down; nothing was metered: undefined. */
export const perHour = (amountAtto: bigint, meteredMs: number): bigint | undefined =>
  meteredMs === 0 ? undefined : (amountAtto * MS_PER_HOUR) / BigInt(meteredMs);

/** Hours, minutes and seconds, for example `12:04:31.250`. */
export function clockTime(durationMs: number): string {
  const [seconds, ms] = [Math.floor(durationMs / 1_000), durationMs % 1_000];
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${Math.floor(seconds / 3_600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${clock}.${String(ms).padStart(3, '0')}`;
}
