import { isUtf8 } from 'node:buffer';

/** What the quick way does not read, or not with certainty: the thorough way decides about it. */
export class Unusual extends Error {
  override readonly name = 'Unusual';
}

export const VARINT = 0;
export const LENGTH_DELIMITED = 2;
const FIXED_64 = 1;
const FIXED_32 = 5;

const MAX_UINT32_BYTES = 5;
/** Seven bits each: as many as an integer that JavaScript counts without loss can need. */
const MAX_INTEGER_BYTES = 8;
const BYTE_ORDER_MARK = 0xef;

/** Reads the protobuf wire format from its beginning on. @throws Unusual */
export class WireReader {
  readonly #buffer: Buffer;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get length(): number {
    return this.#buffer.length;
  }

  /** Also a tag: the field's number times eight, and its wire type. */
  uint32(): number {
    const byte = this.#buffer[this.position]!;
    if (byte < 0x80) {
      this.position++;
      return byte;
    }
    const value = this.#varint(MAX_UINT32_BYTES);
    if (value > 0xffffffff) throw new Unusual('more than 32 bits');
    return value;
  }

  integer(): number {
    const value = this.#varint(MAX_INTEGER_BYTES);
    if (!Number.isSafeInteger(value)) throw new Unusual('beyond 2^53');
    return value;
  }

  boolean(): boolean {
    const value = this.uint32();
    if (value > 1) throw new Unusual('neither true nor false');
    return value === 1;
  }

  text(): string {
    const end = this.end();
    const start = this.position;
    this.position = end;
    const buffer = this.#buffer;
    let index = start;
    while (index < end && buffer[index]! < 0x80) index++;
    if (index === end) return buffer.toString('latin1', start, end);
    const part = buffer.subarray(start, end);
    if (!isUtf8(part) || part[0] === BYTE_ORDER_MARK) throw new Unusual('not plain UTF-8');
    return part.toString();
  }

  bytes(): Uint8Array {
    const end = this.end();
    const start = this.position;
    this.position = end;
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + start, end - start);
  }

  /** Where what comes next ends, as its length says. */
  end(): number {
    const end = this.uint32() + this.position;
    if (end > this.#buffer.length) throw new Unusual('longer than what there is');
    return end;
  }

  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        this.#varint(MAX_INTEGER_BYTES);
        return;
      case FIXED_64:
        this.position += 8;
        return;
      case LENGTH_DELIMITED:
        this.position = this.end();
        return;
      case FIXED_32:
        this.position += 4;
        return;
    }
    throw new Unusual(`wire type ${wireType}`);
  }

  #varint(maxBytes: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 1; count <= maxBytes; count++) {
      const byte = this.#buffer[this.position++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new Unusual('an integer without an end');
  }
}
