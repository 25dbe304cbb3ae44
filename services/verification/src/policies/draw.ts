import { derivedId } from '@astro/event-sourcing/ids';
import { MILLION, type Draw } from './policy.js';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** Sixty bits, so that the remainder favours no draw by more than one in a million millions. */
const DIGITS_USED = 12;

/**
 * What `seed` draws for `subject`. Whoever does not know the seed cannot foresee it; whoever is told it afterwards,
 * with the verdict, can draw again.
 */
export function drawOf(seed: string, subject: string): Draw {
  const digits = derivedId('draw', seed, subject).slice(-DIGITS_USED);
  let value = 0n;
  for (const digit of digits) value = value * 32n + BigInt(DIGITS.indexOf(digit));
  return Number(value % BigInt(MILLION));
}
