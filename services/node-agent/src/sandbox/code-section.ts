import { OPCODE } from './instructions.ts';
import { concat, countIn, encodeU32, InvalidModule, SECTION, WasmReader, withEntry } from './wasm-binary.ts';

const FUNCTION_TYPE = 0x60;
const EXPORTED_GLOBAL = 0x03;
const MUTABLE = 0x01;

/** Imported and own ones: the index of the next. */
export const functionsIn = (sections: ReadonlyMap<number, Uint8Array>): number =>
  countImports(sections.get(SECTION.import)) + countIn(sections.get(SECTION.function));

/** Behind all others, so that no index changes. `type` is its parameters and results, `body` has its locals first. */
export function addFunction(
  sections: Map<number, Uint8Array>,
  { type, body }: { readonly type: readonly number[]; readonly body: readonly number[] },
): void {
  const typeIndex = countTypes(sections.get(SECTION.type));
  append(sections, SECTION.type, [FUNCTION_TYPE, ...type]);
  append(sections, SECTION.function, encodeU32(typeIndex));
  append(sections, SECTION.code, [...encodeU32(body.length), ...body]);
}

/** One that the host reads under its name. */
export function addGlobal(
  sections: Map<number, Uint8Array>,
  global: { readonly name: string; readonly type: number; readonly initial: readonly number[] },
): void {
  const index = countIn(sections.get(SECTION.global));
  const name = new TextEncoder().encode(global.name);
  append(sections, SECTION.global, [global.type, MUTABLE, ...global.initial, OPCODE.end]);
  append(sections, SECTION.export, [name.length, ...name, EXPORTED_GLOBAL, ...encodeU32(index)]);
}

/** The code section with every function's body put through `change`. */
export function withBodies(
  section: Uint8Array | undefined,
  change: (body: Uint8Array) => Uint8Array,
): Uint8Array {
  if (!section) throw new InvalidModule('the module has no code');
  const reader = new WasmReader(section);
  const count = reader.u32();
  const parts: (Uint8Array | number[])[] = [encodeU32(count)];
  for (let left = count; left > 0; left--) {
    const body = change(reader.take(reader.u32()));
    parts.push(encodeU32(body.length), body);
  }
  return concat(parts);
}

/** A reader of a function's body that stands behind its locals. */
export function instructionsOf(body: Uint8Array): WasmReader {
  const reader = new WasmReader(body);
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.skipLeb();
    const type = reader.byte();
    if (type === 0x63 || type === 0x64) reader.skipLeb();
  }
  return reader;
}

function append(sections: Map<number, Uint8Array>, id: number, entry: readonly number[]): void {
  sections.set(id, withEntry(sections.get(id), entry));
}

/** All but function types belong to garbage collection, which is not offered. */
function countTypes(section: Uint8Array | undefined): number {
  if (!section) return 0;
  const reader = new WasmReader(section);
  const count = reader.u32();
  for (let left = count; left > 0; left--) {
    if (reader.byte() !== FUNCTION_TYPE) throw new InvalidModule('garbage-collected types are not offered');
    for (const _list of ['parameters', 'results']) {
      for (let types = reader.u32(); types > 0; types--) {
        const type = reader.byte();
        if (type === 0x63 || type === 0x64) reader.skipLeb();
      }
    }
  }
  return count;
}

/** A program may import functions only; what they are called is checked by the one who links them. */
function countImports(section: Uint8Array | undefined): number {
  if (!section) return 0;
  const reader = new WasmReader(section);
  const count = reader.u32();
  for (let left = count; left > 0; left--) {
    reader.skip(reader.u32());
    reader.skip(reader.u32());
    if (reader.byte() !== 0x00) throw new InvalidModule('a program may import functions only');
    reader.skipLeb();
  }
  return count;
}
