/** Bytes that are not a WebAssembly module, or use what programs may not use. Never worth a retry. */
export class InvalidModule extends Error {
  override readonly name = 'InvalidModule';
}

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** The order that the core specification prescribes, which is not the order of the ids. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);

/** A cursor over untrusted bytes: every read is checked against the end. */
export class WasmReader {
  readonly bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.offset >= this.bytes.length;
  }

  byte(): number {
    if (this.atEnd) throw new InvalidModule('the module ends in the middle of a section');
    return this.bytes[this.offset++]!;
  }

  skip(count: number): void {
    if (count > this.bytes.length - this.offset) throw new InvalidModule('a length reaches past the end');
    this.offset += count;
  }

  take(count: number): Uint8Array {
    const start = this.offset;
    this.skip(count);
    return this.bytes.subarray(start, this.offset);
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new InvalidModule('a 32-bit number is too long');
  }

  /** Passes over a LEB128 number of up to 64 bits, whose value is of no interest. */
  skipLeb(): void {
    for (let count = 0; count < 10; count++) if (this.byte() < 0x80) return;
    throw new InvalidModule('a number is too long');
  }
}

export function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** A positive number as signed LEB128, whose last byte must leave the sign's bit at zero. */
export function encodePositive(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 64) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

export function concat(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The sections of a module by id. Custom sections are left out: nothing that runs depends on them. */
export function sectionsOf(module: Uint8Array): Map<number, Uint8Array> {
  const reader = new WasmReader(module);
  if (module.length < HEADER.length || !HEADER.every((byte, at) => module[at] === byte)) {
    throw new InvalidModule('these bytes are not a WebAssembly module');
  }
  reader.skip(HEADER.length);
  const sections = new Map<number, Uint8Array>();
  while (!reader.atEnd) {
    const id = reader.byte();
    const content = reader.take(reader.u32());
    if (id === SECTION.custom) continue;
    if (sections.has(id)) throw new InvalidModule(`section ${id} appears twice`);
    if (!SECTION_ORDER.includes(id)) throw new InvalidModule(`section ${id} is unknown`);
    sections.set(id, content);
  }
  return sections;
}

export function moduleOf(sections: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const parts: (Uint8Array | number[])[] = [HEADER];
  for (const id of SECTION_ORDER) {
    const content = sections.get(id);
    if (content) parts.push([id, ...encodeU32(content.length)], content);
  }
  return concat(parts);
}

/** How many entries a section of the form `vec(entry)` has; none when it is missing. */
export const countIn = (section: Uint8Array | undefined): number =>
  section ? new WasmReader(section).u32() : 0;

/** A section of the form `vec(entry)` with one more entry at its end. */
export function withEntry(section: Uint8Array | undefined, entry: readonly number[]): Uint8Array {
  if (!section) return concat([encodeU32(1), entry]);
  const reader = new WasmReader(section);
  const count = reader.u32();
  return concat([encodeU32(count + 1), section.subarray(reader.offset), entry]);
}
