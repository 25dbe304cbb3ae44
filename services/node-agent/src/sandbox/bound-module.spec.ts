import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundModule, GROWTH_REFUSED_EXPORT } from './bound-module.js';
import { encodeU32, InvalidModule, moduleOf, sectionsOf, WasmReader } from './wasm-binary.js';

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** `(func (export "grow") (param i32) (result i32) …)` with these instructions, and a memory of two pages. */
const moduleWith = (code: readonly number[], memory: readonly number[] = [0x00, 2]) =>
  Uint8Array.from([
    ...HEADER,
    ...[0x01, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
    ...[0x03, 2, 1, 0],
    ...[0x05, memory.length + 1, 1, ...memory],
    ...[0x07, 17, 2, 6, ...ascii('memory'), 0x02, 0, 4, ...ascii('grow'), 0x00, 0],
    ...[0x0a, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b],
  ]);

const growing = moduleWith([0x20, 0, 0x40, 0]);

function instanceOf(module: Uint8Array, limitMib: number) {
  const bound = boundModule(module, limitMib);
  if ('fault' in bound) throw new Error(bound.fault);
  const {
    grow,
    memory,
    [GROWTH_REFUSED_EXPORT]: refused,
  } = new WebAssembly.Instance(new WebAssembly.Module(bound.bytes), {}).exports;
  return {
    grow: grow as (pages: number) => number,
    pages: () => (memory as WebAssembly.Memory).buffer.byteLength / 65_536,
    wasRefused: () => (refused as WebAssembly.Global).value === 1,
  };
}

describe('the memory of a module', () => {
  test('grows up to the limit and no further, and the refusal is noted', () => {
    const instance = instanceOf(growing, 1);
    expect(instance.grow(14)).toBe(2);
    expect([instance.pages(), instance.wasRefused()]).toEqual([16, false]);
    expect(instance.grow(1)).toBe(-1);
    expect([instance.pages(), instance.wasRefused()]).toEqual([16, true]);
  });

  test('keeps a maximum of its own that is lower', () => {
    const instance = instanceOf(moduleWith([0x20, 0, 0x40, 0], [0x01, 2, 3]), 1);
    expect([instance.grow(1), instance.grow(1)]).toEqual([2, -1]);
  });

  test('may not start above the limit', () => {
    expect(boundModule(moduleWith([0x20, 0], [0x00, 17]), 1)).toEqual({ fault: 'program_out_of_memory' });
  });

  test.each([
    ['shared', [0x03, 1, 2]],
    ['of 64 bits', [0x04, 1]],
  ])('may not be %s', (_, memory) => {
    expect(() => boundModule(moduleWith([0x20, 0], memory), 1)).toThrow(InvalidModule);
  });
});

describe('untrusted bytes', () => {
  test('a module that is cut off anywhere is refused, or whole without its last sections', () => {
    for (let length = 0; length < growing.length; length++) {
      expect(() => boundModule(growing.subarray(0, length), 1)).toThrow(InvalidModule);
    }
  });

  test('whatever is changed, the answer is a module, a fault or a refusal', () => {
    const change = fc.tuple(fc.nat(growing.length - 1), fc.nat(255));
    const changed = fc.array(change, { minLength: 1, maxLength: 4 }).map(changes => {
      const bytes = growing.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    fc.assert(
      fc.property(changed, bytes => {
        try {
          return boundModule(bytes, 1) !== undefined;
        } catch (error) {
          return error instanceof InvalidModule;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the binary format', () => {
  test('numbers are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        value => new WasmReader(Uint8Array.from(encodeU32(value))).u32() === value,
      ),
    );
  });

  test('a number beyond 32 bits is refused', () => {
    expect(() => new WasmReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f)).u32()).toThrow(InvalidModule);
  });

  test('sections put together again are the same module, without custom sections', () => {
    const named = Uint8Array.from([...growing, 0x00, 5, 4, ...ascii('note')]);
    expect(moduleOf(sectionsOf(named))).toEqual(growing);
  });
});
