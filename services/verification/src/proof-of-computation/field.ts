/**
 * The prime 2^21 - 9. A product of two residues is below 2^42, so that a double adds up 2,048 of them exactly; only
 * then a remainder is taken, and the multiplication runs at the speed of the floating-point unit.
 */
export const PRIME = 2_097_143;

/** The most columns that a row may have for its sum to be exact. */
export const WIDTH_MAX = 2_048;

/** Residues, row by row. */
export type Matrix = Float64Array;

/**
 * Residues that follow from a seed of 128 bits, by xoshiro128**. It hides nothing and need not: what must not be
 * foreseen is the seed. Numbers above the last multiple of the prime are passed over, so that all residues are as
 * likely.
 * @param seed 32 hex digits; what it is for is said by `purpose`, so that one seed gives several streams
 */
export function residues(seed: string, purpose: number, count: number): Float64Array {
  const [a = 0, b = 0, c = 0, d = 0] = [0, 8, 16, 24].map(at => Number.parseInt(seed.slice(at, at + 8), 16));
  const values = new Float64Array(count);
  // In variables of its own and not in a list: the check spends half of its time here. Never all zeros.
  let [s0, s1, s2, s3] = [a ^ Math.imul(purpose + 1, GOLDEN), b | 0, c | 0, d | 0 || 1];
  for (let index = -WARM_UP; index < count;) {
    const product = Math.imul(s1, 5);
    const scrambled = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = (s3 << 11) | (s3 >>> 21);
    const value = scrambled >>> (32 - BITS);
    if (value >= PRIME) continue;
    if (index >= 0) values[index] = value;
    index += 1;
  }
  return values;
}

const BITS = 21;
const GOLDEN = 0x9e37_79b9;
/** The first numbers after a poor seed still resemble it. */
const WARM_UP = 16;

/** A times the column r. */
export function timesColumn(matrix: Matrix, size: number, column: Float64Array): Float64Array {
  const product = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    const start = row * size;
    let sum = 0;
    for (let at = 0; at < size; at++) sum += matrix[start + at]! * column[at]!;
    product[row] = sum % PRIME;
  }
  return product;
}

/** A times B: the work. Rows of B are added up in the order in which they lie in memory. */
export function product(a: Matrix, b: Matrix, size: number): Matrix {
  const c = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    const sums = c.subarray(row * size, (row + 1) * size);
    for (let at = 0; at < size; at++) {
      const factor = a[row * size + at]!;
      const from = at * size;
      for (let column = 0; column < size; column++) sums[column] = sums[column]! + factor * b[from + column]!;
    }
    for (let column = 0; column < size; column++) sums[column] = sums[column]! % PRIME;
  }
  return c;
}
