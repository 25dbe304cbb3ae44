/** Sums of work that one thread does, small enough to be counted often. Each answers how much it did. */
export type ComputeKind = 'matrix' | 'memory';

/** Three of them lie in the caches next to a core, so that the product is of arithmetic and not of memory. */
const MATRIX_SIZE = 128;
/** Three arrays of 16 MiB for each core: more than its share of any cache. */
const TRIAD_LENGTH = 2 * 1024 * 1024;
/** Read two, write one. */
const TRIAD_BYTES = TRIAD_LENGTH * 3 * Float64Array.BYTES_PER_ELEMENT;

/** What a thread works on; made and touched before anything is timed. */
export function preparedWork(kind: ComputeKind): () => number {
  return kind === 'matrix' ? matrixWork() : memoryWork();
}

function matrixWork(): () => number {
  const size = MATRIX_SIZE;
  const [left, right, product] = [0, 1, 2].map(seed =>
    Float32Array.from({ length: size * size }, (_, index) => ((index + seed) % 7) / 8),
  ) as [Float32Array, Float32Array, Float32Array];
  return () => {
    multiply(left, right, product, size);
    return 2 * size ** 3;
  };
}

/** Row by row of both, which is how the memory lies. Sums are rounded to 32 bits, as they are where they are kept. */
function multiply(left: Float32Array, right: Float32Array, product: Float32Array, size: number): void {
  product.fill(0);
  for (let row = 0; row < size; row++) {
    const target = row * size;
    for (let inner = 0; inner < size; inner++) {
      const factor = left[target + inner]!;
      const source = inner * size;
      for (let column = 0; column < size; column++) {
        product[target + column] = Math.fround(
          product[target + column]! + Math.fround(factor * right[source + column]!),
        );
      }
    }
  }
}

function memoryWork(): () => number {
  const [sum, left, right] = [0, 1, 2].map(value => new Float64Array(TRIAD_LENGTH).fill(value)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return () => {
    triad(sum, left, right);
    return TRIAD_BYTES;
  };
}

function triad(sum: Float64Array, left: Float64Array, right: Float64Array): void {
  for (let index = 0; index < sum.length; index++) sum[index] = left[index]! + 3 * right[index]!;
}
