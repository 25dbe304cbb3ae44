import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { compileProgram } from './assembly-script.fixture.js';
import type { FinishedRun } from './program-run.js';
import { Sandbox } from './sandbox.js';
import { encodeU32 } from './wasm-binary.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const sandbox = new Sandbox();
afterAll(() => sandbox.close());

const LIMITS = { timeLimitMs: 30_000, memoryLimitMib: 16, outputLimitBytes: 1_000 };
const run = (program: Uint8Array, fuelLimit: number): Promise<FinishedRun> =>
  sandbox.run(
    { program, inputs: [], args: [], seed: 'task_1', limits: { ...LIMITS, fuelLimit } },
    new AbortController().signal,
  );
const faultOf = async (program: Uint8Array, fuelLimit: number) => (await run(program, fuelLimit)).fault;

/** `(module (memory (export "memory") 1) (func (export "_start") …))`, with globals and functions of its own. */
const ascii = (text: string) => [...new TextEncoder().encode(text)];
const moduleOf = (code: readonly number[]) =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, 4, 1, 0x60, 0, 0],
    ...[0x03, 2, 1, 0],
    ...[0x05, 3, 1, 0x00, 1],
    ...[0x07, 19, 2, 6, ...ascii('memory'), 0x02, 0, 6, ...ascii('_start'), 0x00, 0],
    ...section(0x0a, [1, ...sized([0, ...code, 0x0b])]),
  ]);
const sized = (bytes: readonly number[]) => [...encodeU32(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]) => [id, ...sized(bytes)];

const nop = 0x01;
const [loop, brIf, br, block, drop] = [0x03, 0x0d, 0x0c, 0x02, 0x1a] as const;
const [end, empty] = [0x0b, 0x40] as const;
const i32 = (value: number) => [0x41, value];
const [load, add, store, isBelow] = [[0x28, 2, 0], 0x6a, [0x36, 2, 0], 0x49] as const;
/** Counts in memory to fifty: eleven instructions each time. */
const counting = [
  ...[loop, empty, ...i32(0), ...i32(0), ...load, ...i32(1), add, ...store],
  ...[...i32(0), ...load, ...i32(50), isBelow, brIf, 0, end],
];

describe('fuel', () => {
  test.each<readonly [string, readonly number[], number]>([
    ['an instruction', [nop], 1],
    ['three of them', [nop, nop, nop], 3],
    ['a loop that is gone through once', [loop, empty, nop, end], 2],
    ['a loop that is gone through fifty times', counting, 1 + 50 * 11],
    ['a branch that is not taken', [block, empty, ...i32(0), brIf, 0, nop, nop, end], 5],
    ['a branch that is taken', [block, empty, ...i32(1), brIf, 0, nop, nop, end], 3],
    ['what no branch ever comes to', [block, empty, br, 0, nop, nop, nop, end, nop], 3],
    ['the branch of a condition that is met', [...i32(1), 0x04, empty, nop, 0x05, nop, nop, nop, end], 3],
    ['the other one', [...i32(0), 0x04, empty, nop, 0x05, nop, nop, nop, end], 5],
    ['a growth of the memory', [...i32(1), 0x40, 0, drop], 3],
  ])('is what is executed: %s', async (_, code, fuel) => {
    const program = moduleOf(code);
    if (fuel > 1) expect(await faultOf(program, fuel - 1)).toBe('program_timed_out');
    expect(await faultOf(program, fuel)).toBe('none');
  });

  test('is used up by an endless loop, however small it is', async () => {
    expect(await faultOf(moduleOf([loop, empty, br, 0, end]), 1_000_000)).toBe('program_timed_out');
  });

  test('is used up by calls without end', async () => {
    expect(await faultOf(moduleOf([0x10, 0]), 1_000)).toBe('program_timed_out');
  });

  test('changes nothing about what a program gives', async () => {
    const program = await compileProgram(
      'for (let i = 0; i < 9; i++) output(i.toString(), utf8(i.toString()));',
    );
    const limits = { ...LIMITS };
    const plain = await sandbox.run(
      { program, inputs: [], args: [], seed: 'task_1', limits },
      new AbortController().signal,
    );
    expect(await run(program, 1_000_000)).toEqual(plain);
    expect(plain.outputs).toHaveLength(9);
  });

  test.each([
    ['fill its own tank', [0x42, 0x3f, 0x24, 0x00]],
    ['call what takes fuel, with less than nothing', [0x42, 0x41, 0x10, 0x01]],
  ])('is out of the program’s reach: it cannot %s', async (_, code) => {
    expect(await faultOf(moduleOf([...code, nop]), 100)).toBe('program_invalid');
  });
});
