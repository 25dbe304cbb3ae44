import { addFunction, addGlobal, functionsIn, instructionsOf, withBodies } from './code-section.ts';
import { OPCODE, readInstruction } from './instructions.ts';
import { meterInstructions } from './metered-module.ts';
import {
  concat,
  countIn,
  encodeU32,
  InvalidModule,
  moduleOf,
  SECTION,
  sectionsOf,
  WasmReader,
} from './wasm-binary.ts';

/** The exported global that is 1 once the program was refused a growth of its memory. */
export const GROWTH_REFUSED_EXPORT = 'astro:growth-refused';

const PAGES_PER_MIB = 16;
const PAGES_MAX = 65_536;
const TABLES_MAX = 8;
/** A table element takes 8 bytes of the engine's own memory, so that 8 tables take at most 64 MiB. */
const TABLE_ELEMENTS_MAX = 1_048_576;
const I32 = 0x7f;

export type BoundModule = { readonly bytes: Uint8Array } | { readonly fault: 'program_out_of_memory' };

/**
 * The same program with the limit written into it: the maximum of its memory and its tables is lowered, and each
 * `memory.grow` becomes a call of an added function that notes a refusal. Without that note a program which
 * traps because it got no memory could not be told from one that traps for another reason.
 * @throws InvalidModule
 */
export function boundModule(module: Uint8Array, memoryLimitMib: number, fuelLimit?: number): BoundModule {
  const sections = sectionsOf(module);
  if (fuelLimit !== undefined) meterInstructions(module, sections, fuelLimit);
  const limitPages = Math.min(memoryLimitMib * PAGES_PER_MIB, PAGES_MAX);
  const memory = sections.get(SECTION.memory);
  if (!memory) throw new InvalidModule('the module has no memory of its own');
  const bounded = boundMemory(memory, limitPages);
  if (!bounded) return { fault: 'program_out_of_memory' };
  sections.set(SECTION.memory, bounded);
  const tables = sections.get(SECTION.table);
  if (tables) sections.set(SECTION.table, boundTables(tables));
  noteRefusedGrowth(sections);
  return { bytes: moduleOf(sections) };
}

function boundMemory(section: Uint8Array, limitPages: number): Uint8Array | undefined {
  const reader = new WasmReader(section);
  if (reader.u32() !== 1) throw new InvalidModule('a module must have exactly one memory');
  const limits = readLimits(reader);
  if (limits.min > limitPages) return undefined;
  const max = Math.min(limits.max ?? PAGES_MAX, limitPages);
  return concat([encodeU32(1), encodeLimits(limits.min, max)]);
}

function boundTables(section: Uint8Array): Uint8Array {
  const reader = new WasmReader(section);
  const count = reader.u32();
  if (count > TABLES_MAX) throw new InvalidModule(`a module may have at most ${TABLES_MAX} tables`);
  const parts: (Uint8Array | number[])[] = [encodeU32(count)];
  for (let left = count; left > 0; left--) {
    const type = reader.byte();
    if (type !== 0x70 && type !== 0x6f) throw new InvalidModule('a table must hold funcref or externref');
    const limits = readLimits(reader);
    if (limits.min > TABLE_ELEMENTS_MAX) throw new InvalidModule('a table is too large');
    parts.push([
      type,
      ...encodeLimits(limits.min, Math.min(limits.max ?? TABLE_ELEMENTS_MAX, TABLE_ELEMENTS_MAX)),
    ]);
  }
  return concat(parts);
}

/** Shared, 64-bit and odd-paged memories (flags 2, 4 and 8) are no part of WASI preview 1. */
function readLimits(reader: WasmReader): { min: number; max?: number } {
  const flags = reader.byte();
  if (flags > 1) throw new InvalidModule('shared and 64-bit memories are not offered');
  const min = reader.u32();
  return flags === 1 ? { min, max: reader.u32() } : { min };
}

const encodeLimits = (min: number, max: number): number[] => [
  0x01,
  ...encodeU32(min),
  ...encodeU32(Math.max(min, max)),
];

function noteRefusedGrowth(sections: Map<number, Uint8Array>): void {
  const functionIndex = functionsIn(sections);
  const globalIndex = countIn(sections.get(SECTION.global));
  sections.set(SECTION.code, redirectGrowth(sections.get(SECTION.code), functionIndex));
  addFunction(sections, { type: [1, I32, 1, I32], body: growthGuard(globalIndex) });
  addGlobal(sections, { name: GROWTH_REFUSED_EXPORT, type: I32, initial: [0x41, 0x00] });
}

/** `(param $pages i32) (result i32)`: grows the memory; a refusal sets the global. */
function growthGuard(globalIndex: number): number[] {
  const refused = [0x41, 0x01, 0x24, ...encodeU32(globalIndex)]; // i32.const 1, global.set
  const grow = [0x20, 0x00, OPCODE.memoryGrow, 0x00, 0x22, 0x00]; // local.get 0, memory.grow, local.tee 0
  const isMinusOne = [0x41, 0x7f, 0x46]; // i32.const -1, i32.eq
  return [0x00, ...grow, ...isMinusOne, 0x04, 0x40, ...refused, OPCODE.end, 0x20, 0x00, OPCODE.end];
}

const redirectGrowth = (section: Uint8Array | undefined, guardIndex: number): Uint8Array =>
  withBodies(section, body => redirectInBody(body, [OPCODE.call, ...encodeU32(guardIndex)]));

function redirectInBody(body: Uint8Array, call: readonly number[]): Uint8Array {
  const reader = instructionsOf(body);
  const parts: (Uint8Array | readonly number[])[] = [];
  let copiedTo = 0;
  while (!reader.atEnd) {
    const start = reader.offset;
    if (readInstruction(reader) !== OPCODE.memoryGrow) continue;
    parts.push(body.subarray(copiedTo, start), call);
    copiedTo = reader.offset;
  }
  if (copiedTo === 0) return body;
  parts.push(body.subarray(copiedTo));
  return concat(parts);
}
