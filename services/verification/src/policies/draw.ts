import { derivedId } from '@astro/event-sourcing/ids';
import { MILLION, type Draw } from './policy.js';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** Fifty bits: they fit a double, and favour no draw by more than one in a thousand million. */
const DIGITS_USED = 10;

/**
 * What `seed` draws for `subject`. Whoever does not know the seed cannot foresee it; whoever is told it afterwards,
 * with the verdict, can draw again.
 */
export function drawOf(seed: string, subject: string): Draw {
  const digits = derivedId('draw', seed, subject).slice(-DIGITS_USED);
  let value = 0;
  for (const digit of digits) value = value * DIGITS.length + DIGITS.indexOf(digit);
  return value % MILLION;
}
