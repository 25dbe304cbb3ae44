import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { LENGTH_DELIMITED, Unusual, VARINT, WireReader } from './wire-reader.js';

type Read = (reader: WireReader) => unknown;
type QuickField = {
  readonly name: string;
  readonly read: Read;
  readonly wireType: number;
  readonly kind: 'one' | 'many' | 'packed';
};

/** From the name of an enum's value in `proto/` to its name in the domain. */
export type EnumNames = (field: DescField) => ReadonlyMap<number, string>;

/** int64 and uint64 in protobuf's own numbering; the others are named in `scalarOf`. */
const LONGS: readonly number[] = [3, 4];
const [BOOL, STRING, BYTES, UINT32] = [8, 9, 12, 13];

/**
 * Reads what a schema's messages look like nearly always from their bytes straight into plain payloads, in a third of
 * the time that a general decoder and a conversion take. Whatever is not as expected - a field that is missing, sent
 * twice, or too large - it leaves to them, and so to their judgement and their errors.
 */
export class QuickDecoder {
  readonly #fields: (QuickField | undefined)[] = [];
  /** Every field that is never absent, in the order of `proto/`, so that all payloads of a type have one shape. */
  readonly #blank: Readonly<Record<string, unknown>>;
  readonly #lists: readonly string[];
  readonly #required: readonly string[];

  /** @param nested for the messages inside */
  constructor(schema: DescMessage, nested: (schema: DescMessage) => QuickDecoder, enumNames: EnumNames) {
    const blank: Record<string, unknown> = {};
    for (const field of schema.fields) {
      if (!isOptional(field)) blank[field.localName] = defaultOf(field, enumNames);
      this.#fields[field.number] = quickField(field, nested, enumNames);
    }
    this.#blank = blank;
    this.#lists = schema.fields.filter(isList).map(({ localName }) => localName);
    this.#required = schema.fields
      .filter(field => !isOptional(field) && !isList(field) && blank[field.localName] === undefined)
      .map(({ localName }) => localName);
  }

  /** @throws Unusual */
  decode(bytes: Uint8Array): Readonly<Record<string, unknown>> {
    const reader = new WireReader(bytes);
    return this.read(reader, reader.length);
  }

  read(reader: WireReader, end: number): Readonly<Record<string, unknown>> {
    const payload: Record<string, unknown> = { ...this.#blank };
    for (const name of this.#lists) payload[name] = [];
    while (reader.position < end) {
      const tag = reader.uint32();
      const field = this.#fields[tag >>> 3];
      if (tag >>> 3 === 0) throw new Unusual('a field without a number');
      if (field === undefined) reader.skip(tag & 7);
      else if (field.wireType === (tag & 7)) readField(reader, field, payload);
      else throw new Unusual(`${field.name} has the wire type ${tag & 7}`);
    }
    if (reader.position !== end) throw new Unusual('a message longer than it says');
    for (const name of this.#required) if (payload[name] === undefined) throw new Unusual(`no ${name}`);
    return payload;
  }
}

function readField(reader: WireReader, field: QuickField, payload: Record<string, unknown>): void {
  const { name, kind, read } = field;
  switch (kind) {
    case 'one':
      // The parts of a message that comes twice would have to be merged.
      if (typeof payload[name] === 'object') throw new Unusual(`${name} comes twice`);
      payload[name] = read(reader);
      return;
    case 'many':
      (payload[name] as unknown[]).push(read(reader));
      return;
    case 'packed': {
      const end = reader.end();
      while (reader.position < end) (payload[name] as unknown[]).push(read(reader));
      if (reader.position !== end) throw new Unusual('a list longer than it says');
    }
  }
}

/** Its absence means something, unlike that of a zero: the payload has no such field then. */
const isOptional = ({ proto }: DescField): boolean => proto.proto3Optional;
const isList = ({ fieldKind }: DescField): boolean => fieldKind === 'list';
const isAtto = (field: DescField): boolean => field.name.endsWith('_atto');

/** What a field is that was not sent; undefined when it must be sent. */
function defaultOf(field: DescField, enumNames: EnumNames): unknown {
  if (field.fieldKind === 'enum') return enumNames(field).get(0);
  if (field.fieldKind !== 'scalar' || isAtto(field)) return undefined;
  if (field.scalar === (STRING as typeof field.scalar)) return '';
  if (field.scalar === (BOOL as typeof field.scalar)) return false;
  return field.scalar === (BYTES as typeof field.scalar) ? undefined : 0;
}

function quickField(
  field: DescField,
  nested: (schema: DescMessage) => QuickDecoder,
  enumNames: EnumNames,
): QuickField {
  const name = field.localName;
  const isUnusual = field.fieldKind === 'map' || field.oneof !== undefined;
  if (isUnusual) return { name, kind: 'one', wireType: LENGTH_DELIMITED, read: refuse };
  const value = valueOf(field, nested, enumNames);
  if (!isList(field)) return { name, kind: 'one', ...value };
  const isPacked = value.wireType === VARINT;
  return { name, kind: isPacked ? 'packed' : 'many', read: value.read, wireType: LENGTH_DELIMITED };
}

const refuse: Read = () => {
  throw new Unusual('of a kind that is not read here');
};

function valueOf(
  field: DescField,
  nested: (schema: DescMessage) => QuickDecoder,
  enumNames: EnumNames,
): { readonly read: Read; readonly wireType: number } {
  if (field.message?.typeName === 'google.protobuf.Timestamp')
    return { read: timestamp, wireType: LENGTH_DELIMITED };
  const { message } = field;
  if (message) {
    // Made when it is first needed, so that a recursive message ends.
    let decoder: QuickDecoder | undefined;
    const read: Read = reader => (decoder ??= nested(message)).read(reader, reader.end());
    return { read, wireType: LENGTH_DELIMITED };
  }
  if (field.enum) {
    const names = enumNames(field);
    const read: Read = reader => names.get(reader.uint32()) ?? refuse(reader);
    return { read, wireType: VARINT };
  }
  if (isAtto(field)) return { read: atto, wireType: LENGTH_DELIMITED };
  return scalarOf(field.scalar);
}

function scalarOf(scalar: number): { readonly read: Read; readonly wireType: number } {
  if (LONGS.includes(scalar)) return { read: reader => reader.integer(), wireType: VARINT };
  switch (scalar) {
    case STRING:
      return { read: reader => reader.text(), wireType: LENGTH_DELIMITED };
    case BYTES:
      return { read: reader => reader.bytes(), wireType: LENGTH_DELIMITED };
    case BOOL:
      return { read: reader => reader.boolean(), wireType: VARINT };
    case UINT32:
      return { read: reader => reader.uint32(), wireType: VARINT };
  }
  return { read: refuse, wireType: VARINT };
}

const DECIMAL = /^-?\d{1,78}$/;

function atto(reader: WireReader): bigint {
  const text = reader.text();
  if (!DECIMAL.test(text)) throw new Unusual('no decimal number');
  return BigInt(text);
}

/** Seconds since 1970 as field 1, nanoseconds of the second as field 2. */
function timestamp(reader: WireReader): Date {
  const end = reader.end();
  let [seconds, nanos] = [0, 0];
  while (reader.position < end) {
    const tag = reader.uint32();
    if (tag === ((1 << 3) | VARINT)) seconds = reader.integer();
    else if (tag === ((2 << 3) | VARINT)) nanos = reader.uint32();
    else throw new Unusual('an unknown part of a time');
  }
  if (reader.position !== end || nanos >= 1_000_000_000) throw new Unusual('no time');
  const date = new Date(seconds * 1_000 + Math.round(nanos / 1_000_000));
  if (Number.isNaN(date.getTime())) throw new Unusual('no time');
  return date;
}
