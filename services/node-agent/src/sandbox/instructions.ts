import { InvalidModule, type WasmReader } from './wasm-binary.ts';

export const OPCODE = { end: 0x0b, call: 0x10, memoryGrow: 0x40 } as const;

const PREFIX = { garbageCollection: 0xfb, miscellaneous: 0xfc, vector: 0xfd, atomic: 0xfe } as const;

/**
 * Reads one instruction with all that belongs to it (core specification 3.0, section 5.4), and answers its
 * opcode. Structured instructions are read without their bodies, so a body is a flat list of instructions.
 */
export function readInstruction(reader: WasmReader): number {
  const opcode = reader.byte();
  if (opcode >= 0x45 && opcode <= 0xc4) return opcode; // numeric, without operands
  if (opcode >= 0x28 && opcode <= 0x3e) skipMemoryOperand(reader);
  else if (opcode >= 0x20 && opcode <= 0x26) reader.skipLeb();
  else if (opcode >= 0xfb) readPrefixed(reader, opcode);
  else readOther(reader, opcode);
  return opcode;
}

function readOther(reader: WasmReader, opcode: number): void {
  switch (opcode) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0a: // throw_ref
    case 0x0b: // end
    case 0x0f: // return
    case 0x19: // catch_all
    case 0x1a: // drop
    case 0x1b: // select
    case 0xd1: // ref.is_null
    case 0xd4: // ref.as_non_null
      return;
    case 0x02: // block, a block type is one signed number, also where it is a value type
    case 0x03: // loop
    case 0x04: // if
    case 0x06: // try
      return skipBlockType(reader);
    case 0x07: // catch
    case 0x08: // throw
    case 0x09: // rethrow
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x12: // return_call
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0x18: // delegate
    case 0x3f: // memory.size
    case 0x40: // memory.grow
    case 0x41: // i32.const
    case 0x42: // i64.const
    case 0xd0: // ref.null
    case 0xd2: // ref.func
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      return reader.skipLeb();
    case 0x11: // call_indirect
    case 0x13: // return_call_indirect
      return skipLebs(reader, 2);
    case 0x0e: // br_table
      return skipLebs(reader, reader.u32() + 1);
    case 0x1c: // select with value types
      for (let left = reader.u32(); left > 0; left--) skipBlockType(reader);
      return;
    case 0x1f: // try_table
      return skipTryTable(reader);
    case 0x43: // f32.const
      return reader.skip(4);
    case 0x44: // f64.const
      return reader.skip(8);
    default:
      throw new InvalidModule(`opcode 0x${opcode.toString(16)} is unknown`);
  }
}

function readPrefixed(reader: WasmReader, prefix: number): void {
  const opcode = reader.u32();
  switch (prefix) {
    case PREFIX.miscellaneous:
      return readMiscellaneous(reader, opcode);
    case PREFIX.vector:
      return readVector(reader, opcode);
    case PREFIX.atomic:
      return opcode === 0x03 ? reader.skip(1) : skipMemoryOperand(reader);
    case PREFIX.garbageCollection:
      // Such objects live in the heap of the engine, outside the memory that is limited.
      throw new InvalidModule('garbage-collected types are not offered');
    default:
      throw new InvalidModule(`opcode 0x${prefix.toString(16)} is unknown`);
  }
}

function readMiscellaneous(reader: WasmReader, opcode: number): void {
  if (opcode <= 7) return; // saturating conversions
  if (opcode > 17) throw new InvalidModule(`opcode 0xfc ${opcode} is unknown`);
  const pairs = [8, 10, 12, 14]; // memory.init, memory.copy, table.init, table.copy
  skipLebs(reader, pairs.includes(opcode) ? 2 : 1);
}

function readVector(reader: WasmReader, opcode: number): void {
  if (opcode <= 11 || opcode === 92 || opcode === 93) return skipMemoryOperand(reader);
  if (opcode === 12 || opcode === 13) return reader.skip(16); // v128.const, i8x16.shuffle
  if (opcode >= 21 && opcode <= 34) return reader.skip(1); // lane
  if (opcode >= 84 && opcode <= 91) {
    skipMemoryOperand(reader);
    reader.skip(1);
  }
}

function skipMemoryOperand(reader: WasmReader): void {
  const alignment = reader.u32();
  if (alignment & 0x40) reader.skipLeb(); // an explicit memory index
  reader.skipLeb();
}

function skipBlockType(reader: WasmReader): void {
  const first = reader.bytes[reader.offset];
  if (first === 0x63 || first === 0x64) reader.skip(1); // a reference type is followed by its heap type
  reader.skipLeb();
}

function skipTryTable(reader: WasmReader): void {
  skipBlockType(reader);
  for (let left = reader.u32(); left > 0; left--) {
    const namesTag = reader.byte() < 2; // catch and catch_ref name a tag, catch_all and catch_all_ref do not
    skipLebs(reader, namesTag ? 2 : 1);
  }
}

function skipLebs(reader: WasmReader, count: number): void {
  for (let left = count; left > 0; left--) reader.skipLeb();
}
