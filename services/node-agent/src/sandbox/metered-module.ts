import { addFunction, addGlobal, functionsIn, instructionsOf, withBodies } from './code-section.ts';
import { OPCODE, readInstruction } from './instructions.ts';
import { concat, countIn, encodePositive, encodeU32, InvalidModule, SECTION } from './wasm-binary.ts';

/** The exported global with what is left of the fuel; below zero once there was not enough. */
export const FUEL_EXPORT = 'astro:fuel';

const I64 = 0x7e;
const I64_CONST = 0x42;

/** Marks of structure, which do nothing: end, else, catch, catch_all, delegate. */
const FREE = new Set([OPCODE.end, 0x05, 0x07, 0x19, 0x18]);
/**
 * Behind these, code can be reached from elsewhere or not at all: unreachable, loop, if, else, try, catch, throw,
 * rethrow, throw_ref, end, br, br_if, br_table, return, return_call and its kin, delegate, catch_all, try_table,
 * br_on_null, br_on_non_null. Between them every instruction is executed if the first is, unless one of them fails.
 */
const ENDS_STRETCH = new Set([
  ...[0x00, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f],
  ...[0x12, 0x13, 0x15, 0x18, 0x19, 0x1f, 0xd5, 0xd6],
]);

/**
 * Writes a limit of executed instructions into the module: each stretch of code begins by taking its length from a
 * global, and traps where that is not enough. Unlike time it is the same on every machine. A call of the host and a
 * copy of much memory count as one instruction, so that the limit of time stays beside it.
 * @throws InvalidModule
 */
export function meterInstructions(
  module: Uint8Array,
  sections: Map<number, Uint8Array>,
  fuelLimit: number,
): void {
  // An index that leads nowhere now would lead to what is added, and a program could fill its own tank.
  if (!WebAssembly.validate(module)) throw new InvalidModule('the module is not valid');
  const functionIndex = functionsIn(sections);
  const globalIndex = countIn(sections.get(SECTION.global));
  const charge = [OPCODE.call, ...encodeU32(functionIndex)];
  sections.set(
    SECTION.code,
    withBodies(sections.get(SECTION.code), body => metered(body, charge)),
  );
  addFunction(sections, { type: [1, I64, 0], body: taking(globalIndex) });
  addGlobal(sections, { name: FUEL_EXPORT, type: I64, initial: [I64_CONST, ...encodePositive(fuelLimit)] });
}

/** `(param $cost i64)`: takes the cost, and traps if more was taken than there was. A trap cannot be caught. */
function taking(globalIndex: number): number[] {
  const global = encodeU32(globalIndex);
  const take = [0x23, ...global, 0x20, 0x00, 0x7d, 0x24, ...global]; // global.get, local.get 0, i64.sub, global.set
  const isEmpty = [0x23, ...global, I64_CONST, 0x00, 0x53]; // global.get, i64.const 0, i64.lt_s
  return [0x00, ...take, ...isEmpty, 0x04, 0x40, 0x00, OPCODE.end, OPCODE.end]; // if, unreachable
}

function metered(body: Uint8Array, charge: readonly number[]): Uint8Array {
  const reader = instructionsOf(body);
  const parts: (Uint8Array | readonly number[])[] = [body.subarray(0, reader.offset)];
  let stretchAt = reader.offset;
  let cost = 0;
  while (!reader.atEnd) {
    const opcode = readInstruction(reader);
    if (!FREE.has(opcode)) cost += 1;
    if (!ENDS_STRETCH.has(opcode)) continue;
    if (cost > 0) parts.push([I64_CONST, ...encodePositive(cost), ...charge]);
    parts.push(body.subarray(stretchAt, reader.offset));
    [stretchAt, cost] = [reader.offset, 0];
  }
  return concat(parts);
}
