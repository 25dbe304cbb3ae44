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
  const state = Uint32Array.from({ length: 4 }, (_, word) =>
    Number.parseInt(seed.slice(word * 8, word * 8 + 8), 16),
  );
  state[0] = state[0]! ^ Math.imul(purpose + 1, 0x9e37_79b9);
  if (state.every(word => word === 0)) state[0] = 1;
  const values = new Float64Array(count);
  // The first numbers after a poor seed still resemble it.
  for (let warmUp = 0; warmUp < 16; warmUp++) next(state);
  for (let index = 0; index < count;) {
    const value = next(state) >>> (32 - BITS);
    if (value < PRIME) values[index++] = value;
  }
  return values;
}

const BITS = 21;

function next(state: Uint32Array): number {
  const scrambled = Math.imul(rotated(Math.imul(state[1]!, 5), 7), 9);
  const shifted = state[1]! << 9;
  state[2] = state[2]! ^ state[0]!;
  state[3] = state[3]! ^ state[1]!;
  state[1] = state[1]! ^ state[2];
  state[0] = state[0]! ^ state[3];
  state[2] = state[2] ^ shifted;
  state[3] = rotated(state[3], 11);
  return scrambled >>> 0;
}

const rotated = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

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
