import { encodePositive, encodeU32, moduleOf, SECTION } from '../sandbox/wasm-binary.ts';

/** Rows and columns. Three such matrices of 32-bit floats fill three pages, and lie in the caches next to a core. */
export const MATRIX_SIZE = 128;
const PAGES = 3;
const ROW_BYTES = MATRIX_SIZE * 4;
const MATRIX_BYTES = MATRIX_SIZE * ROW_BYTES;
const VECTOR_BYTES = 16;

/** Locals of the function: where it is in the left matrix, the product's row, the right one's row, the column. */
const [LEFT, PRODUCT, RIGHT, COLUMN, FACTOR] = [0, 1, 2, 3, 4];

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const number = (value: number) => [0x41, ...encodePositive(value)];
const ADD = [0x6a];
/** Repeats its body while the local, raised by `step` after each pass, is below `end`. */
const loop = (local: number, step: number, end: number, body: readonly number[]) => [
  ...[0x03, 0x40, ...body],
  ...[...get(local), ...number(step), ...ADD, 0x22, local],
  ...[...number(end), 0x49, 0x0d, 0x00, 0x0b],
];
const at = (row: number) => [...get(row), ...get(COLUMN), ...ADD];
const LOAD_VECTOR = [0xfd, 0x00, 0x04, 0x00];
const STORE_VECTOR = [0xfd, 0x0b, 0x04, 0x00];
const LOAD_FLOAT_IN_ALL_LANES = [0x2a, 0x02, 0x00, 0xfd, 0x13];
const MULTIPLY_LANES = [0xfd, 0xe6, 0x01];
const ADD_LANES = [0xfd, 0xe4, 0x01];

/** product[row] += left[row][inner] × right[inner], four columns at a time: the way in which memory lies. */
const multiplyAdd = [
  ...at(PRODUCT),
  ...[...at(PRODUCT), ...LOAD_VECTOR],
  ...[...get(FACTOR), ...at(RIGHT), ...LOAD_VECTOR, ...MULTIPLY_LANES],
  ...[...ADD_LANES, ...STORE_VECTOR],
];
const body = [
  ...[...number(2 * MATRIX_BYTES), ...set(PRODUCT)],
  ...loop(PRODUCT, ROW_BYTES, 3 * MATRIX_BYTES, [
    ...[...number(MATRIX_BYTES), ...set(RIGHT)],
    ...loop(RIGHT, ROW_BYTES, 2 * MATRIX_BYTES, [
      ...[...get(LEFT), ...LOAD_FLOAT_IN_ALL_LANES, ...set(FACTOR)],
      ...[...get(LEFT), ...number(4), ...ADD, ...set(LEFT)],
      ...[...number(0), ...set(COLUMN)],
      ...loop(COLUMN, VECTOR_BYTES, ROW_BYTES, multiplyAdd),
    ]),
  ]),
  0x0b,
];

const named = (name: string) => [name.length, ...new TextEncoder().encode(name)];
/** Four 32-bit numbers and a vector. */
const localsAndBody = [2, 4, 0x7f, 1, 0x7b, ...body];

/**
 * What WebAssembly with vectors makes of a core, as a program of a task would: `multiply` adds the product of the
 * first two matrices in `memory` to the third.
 */
export const matrixModule = moduleOf(
  new Map(
    [
      [SECTION.type, [1, 0x60, 0, 0]] as const,
      [SECTION.function, [1, 0]] as const,
      [SECTION.memory, [1, 0x00, PAGES]] as const,
      [SECTION.export, [2, ...named('memory'), 0x02, 0, ...named('multiply'), 0x00, 0]] as const,
      [SECTION.code, [1, ...encodeU32(localsAndBody.length), ...localsAndBody]] as const,
    ].map(([id, bytes]) => [id, Uint8Array.from(bytes)]),
  ),
);
