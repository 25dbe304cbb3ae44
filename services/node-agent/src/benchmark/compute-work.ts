import { MATRIX_SIZE, matrixModule } from './matrix-module.ts';

/** Pieces of work that one thread does, small enough to be counted often. */
export type ComputeKind = 'matrix' | 'memory';

/** Three arrays of 16 MiB for each core: more than its share of any cache. */
const TRIAD_LENGTH = 2 * 1024 * 1024;
/** Read two, write one. */
const TRIAD_BYTES = TRIAD_LENGTH * 3 * Float64Array.BYTES_PER_ELEMENT;

/** What a thread works on; made and touched before anything is timed. */
export function preparedWork(kind: ComputeKind): () => number {
  return kind === 'matrix' ? matrixWork() : memoryWork();
}

function matrixWork(): () => number {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(matrixModule), {});
  const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
  const elements = MATRIX_SIZE ** 2;
  const factors = new Float32Array(buffer, 0, 2 * elements);
  for (let index = 0; index < factors.length; index++) factors[index] = (index % 7) / 8;
  const product = new Float32Array(buffer, factors.byteLength, elements);
  const multiply = exports['multiply'] as () => void;
  return () => {
    product.fill(0);
    multiply();
    return 2 * MATRIX_SIZE ** 3;
  };
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
