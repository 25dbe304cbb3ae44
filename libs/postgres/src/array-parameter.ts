/**
 * One column of many rows as a parameter `$n::<type>[]`, in PostgreSQL's binary form of an array where its type has
 * one here: no value is quoted by one side and unquoted by the other. The driver's own way is a text, and for `bytea`
 * a text of hexadecimal digits.
 * @param type of the items, as `format_type` names it or short: `text`, `int`, `timestamptz`
 * @param values null and undefined are NULL
 * @throws Error when a value does not fit the type
 */
export function arrayParameter(type: string, values: readonly unknown[]): Buffer | string {
  const binary = binaryTypes[type];
  return binary === undefined ? textArray(values) : binaryArray(binary, values);
}

type BinaryType = { readonly oid: number; write(to: ArrayWriter, value: unknown): void };

/** The head: dimensions(4) has-nulls(4) item type(4) length(4) lower bound(4). Each item: its length(4), its bytes. */
function binaryArray({ oid, write }: BinaryType, values: readonly unknown[]): Buffer {
  const writer = new ArrayWriter(values.length);
  for (const word of values.length === 0 ? [0, 0, oid] : [1, 1, oid, values.length, 1]) writer.int32(word);
  for (const value of values) {
    if (value === null || value === undefined) writer.int32(-1);
    else write(writer, value);
  }
  return writer.written();
}

const INITIAL_BYTES_PER_ITEM = 40;
/** The most bytes that UTF-8 takes for one unit of a JavaScript string. */
const MAX_UTF8_BYTES = 3;

class ArrayWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(items: number) {
    this.#buffer = Buffer.allocUnsafe(32 + items * INITIAL_BYTES_PER_ITEM);
  }

  int32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
  }

  int64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigInt64BE(value, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
  }

  /** @param version a byte before the text, which belongs to the item */
  text(value: string, version?: number): void {
    this.#reserve(5 + value.length * MAX_UTF8_BYTES);
    const start = this.#length + 4;
    if (version !== undefined) this.#buffer[start] = version;
    const textStart = version === undefined ? start : start + 1;
    const end = textStart + this.#buffer.write(value, textStart);
    this.#buffer.writeInt32BE(end - start, this.#length);
    this.#length = end;
  }

  bytes(value: Uint8Array): void {
    this.int32(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** PostgreSQL counts microseconds from the year 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const JSONB_VERSION = 1;

const text: BinaryType = {
  oid: 25,
  write(to, value) {
    if (typeof value !== 'string') throw unfit('text', value);
    to.text(value);
  },
};

const integer: BinaryType = {
  oid: 23,
  write(to, value) {
    if (typeof value !== 'number' || (value | 0) !== value) throw unfit('int', value);
    to.int32(4);
    to.int32(value);
  },
};

const bigint: BinaryType = {
  oid: 20,
  write(to, value) {
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) throw unfit('bigint', value);
    to.int32(8);
    to.int64(BigInt(value as bigint | number));
  },
};

const binaryTypes: Readonly<Partial<Record<string, BinaryType>>> = {
  text,
  int: integer,
  integer,
  bigint,
  jsonb: { oid: 3802, write: (to, value) => to.text(JSON.stringify(value), JSONB_VERSION) },
  bytea: {
    oid: 17,
    write(to, value) {
      if (!(value instanceof Uint8Array)) throw unfit('bytea', value);
      to.bytes(value);
    },
  },
  boolean: {
    oid: 16,
    write(to, value) {
      if (typeof value !== 'boolean') throw unfit('boolean', value);
      to.int32(1);
      to.byte(value ? 1 : 0);
    },
  },
  timestamptz: {
    oid: 1184,
    write(to, value) {
      const ms = value instanceof Date ? value.getTime() : NaN;
      if (Number.isNaN(ms)) throw unfit('timestamptz', value);
      to.int32(8);
      to.int64(BigInt(ms - EPOCH_MS) * 1_000n);
    },
  },
};

/** For types like `numeric`, whose binary form takes longer to make than to read as text. */
function textArray(values: readonly unknown[]): string {
  const items = values.map(value => {
    if (value === null || value === undefined) return 'NULL';
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
    throw unfit('text', value);
  });
  return `{${items.join(',')}}`;
}

function unfit(type: string, value: unknown): Error {
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint';
  return new Error(`a column of type ${type} cannot hold ${isPlain ? value : `this ${typeof value}`}`);
}
