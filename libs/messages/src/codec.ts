import {
  create,
  fromBinary,
  toBinary,
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message as ProtoMessage,
  type Registry,
} from '@bufbuild/protobuf';
import { timestampDate, timestampFromDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import { catalogue, registry, type CatalogueEntry } from './gen/catalogue.js';
import { QuickDecoder } from './quick-decoder.js';
import { upcasts, type Plain, type Upcasts } from './upcasts.js';
import { Unusual } from './wire-reader.js';

/** A payload that does not fit its schema. Never worth a retry. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

type Convert = (value: unknown, path: string) => unknown;
type FieldCodec = {
  readonly name: string;
  readonly required: boolean;
  readonly encode: Convert;
  readonly decode: Convert;
};
type MessageCodec = {
  readonly schema: DescMessage;
  readonly fields: readonly FieldCodec[];
  /** Without one, the message or one inside it has an upcast. */
  readonly quick?: QuickDecoder;
};

/**
 * Bytes of a plain payload, whose types are in `gen/<context>.ts`.
 * @param typeName full protobuf name, for example `astro.scheduling.v1.JobSubmitted`
 * @throws CodecError naming the field and the rule
 */
export const encode = (typeName: string, payload: unknown): Uint8Array => today.encode(typeName, payload);

/** The plain payload in `bytes`, in today's shape. @throws CodecError when the bytes are not a `typeName`. */
export const decode = (typeName: string, bytes: Uint8Array): unknown => today.decode(typeName, bytes).data;

/** A message with the name that it has today, whatever it was called when it was recorded. @throws CodecError */
export function decodeMessage(
  kind: CatalogueEntry['kind'],
  aggregateType: string,
  name: string,
  bytes: Uint8Array,
): { readonly type: string; readonly data: unknown } {
  const recordedAs = typeNameOf(kind, aggregateType, name);
  const { typeName, data } = today.decode(recordedAs, bytes);
  return { type: typeName === recordedAs ? name : typeName.slice(typeName.lastIndexOf('.') + 1), data };
}

/** Full protobuf name of a message that travels on its own subject. @throws CodecError when there is none. */
export function typeNameOf(kind: CatalogueEntry['kind'], aggregateType: string, name: string): string {
  const entry = byKey.get(`${kind} ${aggregateType} ${name}`);
  if (!entry) throw new CodecError(`there is no ${kind} ${name} of ${aggregateType} in proto/`);
  return entry.typeName;
}

const byKey = new Map(
  catalogue.map(entry => [`${entry.kind} ${entry.context}.${entry.aggregate} ${entry.name}`, entry]),
);

/** The codecs of every message of one schema, each made when it is first needed. */
export class Codecs {
  readonly #registry: Registry;
  readonly #upcasts: Upcasts;
  readonly #known = new Map<string, MessageCodec>();
  readonly #quick = new Map<string, QuickDecoder>();

  constructor(registry: Registry, upcasts: Upcasts) {
    this.#registry = registry;
    this.#upcasts = upcasts;
  }

  encode(typeName: string, payload: unknown): Uint8Array {
    const codec = this.#named(typeName);
    return toBinary(codec.schema, encodeFields(codec, payload, typeName));
  }

  /** @returns the payload in today's shape, and the type that it is of today. */
  decode(typeName: string, bytes: Uint8Array): { readonly typeName: string; readonly data: unknown } {
    const codec = this.#named(typeName);
    if (codec.quick) {
      try {
        return { typeName, data: codec.quick.decode(bytes) };
      } catch (unusual) {
        if (!(unusual instanceof Unusual)) throw unusual;
      }
    }
    return this.#decodeThoroughly(codec, typeName, bytes);
  }

  #decodeThoroughly(codec: MessageCodec, typeName: string, bytes: Uint8Array) {
    let message: ProtoMessage;
    try {
      message = fromBinary(codec.schema, bytes);
    } catch (cause) {
      throw new CodecError(`these bytes are not a ${typeName}`, { cause });
    }
    const data = this.#decodeFields(codec, message, typeName);
    return { typeName: this.#upcasts[typeName]?.becomes ?? typeName, data };
  }

  /** What a recorded payload lacks is only missing once its upcast has had a look at it. */
  #decodeFields(codec: MessageCodec, message: ProtoMessage, path: string): Plain {
    const payload: Record<string, unknown> = {};
    for (const field of codec.fields) {
      const value = (message as unknown as Plain)[field.name];
      if (value === undefined || (value === '' && field.decode === atto.decode)) continue;
      payload[field.name] = field.decode(value, `${path}.${field.name}`);
    }
    const upcast = this.#upcasts[codec.schema.typeName];
    if (!upcast) return complete(codec, payload, path);
    return complete(upcast.becomes ? this.#named(upcast.becomes) : codec, upcast.payload(payload), path);
  }

  #named(typeName: string): MessageCodec {
    const known = this.#known.get(typeName);
    if (known) return known;
    const schema = this.#registry.getMessage(typeName);
    if (!schema) throw new CodecError(`there is no message ${typeName} in proto/`);
    return this.#of(schema);
  }

  #of(schema: DescMessage): MessageCodec {
    const known = this.#known.get(schema.typeName);
    if (known) return known;
    const fields: FieldCodec[] = [];
    const codec = {
      schema,
      fields,
      ...(hasUpcast(schema, this.#upcasts) ? {} : { quick: this.#quickOf(schema) }),
    };
    this.#known.set(schema.typeName, codec); // before its fields, so that a recursive message ends
    fields.push(...schema.fields.map(field => this.#field(field)));
    return codec;
  }

  #quickOf(schema: DescMessage): QuickDecoder {
    const known = this.#quick.get(schema.typeName);
    if (known) return known;
    const decoder = new QuickDecoder(
      schema,
      inner => this.#quickOf(inner),
      field => namesOf(field.enum!),
    );
    this.#quick.set(schema.typeName, decoder);
    return decoder;
  }

  #field(field: DescField): FieldCodec {
    const one = this.#value(field);
    const required = !field.proto.proto3Optional;
    const name = field.localName;
    if (field.fieldKind === 'list') {
      const each =
        (convert: Convert): Convert =>
        (value, path) => {
          if (!Array.isArray(value)) throw new CodecError(`${path} must be a list`);
          return value.map((item, index) => convert(item, `${path}[${index}]`));
        };
      return { name, required, encode: each(one.encode), decode: each(one.decode) };
    }
    return { name, required, ...one };
  }

  #value(field: DescField): { encode: Convert; decode: Convert } {
    if (field.message?.typeName === 'google.protobuf.Timestamp') return timestamp;
    if (field.message && field.fieldKind !== 'map') {
      const inner = this.#of(field.message);
      return {
        encode: (value, path) => encodeFields(inner, value, path),
        decode: (value, path) => this.#decodeFields(inner, value as ProtoMessage, path),
      };
    }
    if (field.enum) return enumeration(field.enum);
    if (field.name.endsWith('_atto')) return atto;
    if (field.scalar !== undefined && longScalars.has(field.scalar)) return long;
    return same;
  }
}

function encodeFields(codec: MessageCodec, payload: unknown, path: string): ProtoMessage {
  if (typeof payload !== 'object' || payload === null) throw new CodecError(`${path} must be an object`);
  const init: Record<string, unknown> = {};
  for (const field of codec.fields) {
    const value = (payload as Plain)[field.name];
    if (value !== undefined) init[field.name] = field.encode(value, `${path}.${field.name}`);
    else if (field.required) throw new CodecError(`${path}.${field.name} is missing`);
  }
  return create(codec.schema, init);
}

function complete(codec: MessageCodec, payload: Plain, path: string): Plain {
  for (const { name, required } of codec.fields)
    if (required && payload[name] === undefined) throw new CodecError(`${path}.${name} is missing`);
  return payload;
}

/** int64, uint64, fixed64, sfixed64 and sint64 in protobuf's own numbering. */
const longScalars = new Set<number>([3, 4, 6, 16, 18]);

const same = { encode: (value: unknown) => value, decode: (value: unknown) => value };

const timestamp = {
  encode(value: unknown, path: string) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime()))
      throw new CodecError(`${path} must be a valid Date`);
    return timestampFromDate(value);
  },
  decode(value: unknown, path: string) {
    const date = timestampDate(value as Timestamp);
    if (Number.isNaN(date.getTime())) throw new CodecError(`${path} is a time that no Date holds`);
    return date;
  },
};

/** Money: base units as a decimal string on the wire, because 64 bits hold only 18 ASTRO. */
const atto = {
  encode(value: unknown, path: string) {
    if (typeof value !== 'bigint') throw new CodecError(`${path} must be a bigint of base units`);
    return value.toString();
  },
  decode(value: unknown, path: string) {
    if (!/^-?\d{1,78}$/.test(value as string)) throw new CodecError(`${path} must be a decimal string`);
    return BigInt(value as string);
  },
};

const long = {
  encode(value: unknown, path: string) {
    if (!Number.isSafeInteger(value)) throw new CodecError(`${path} must be a whole number below 2^53`);
    return BigInt(value as number);
  },
  decode(value: unknown, path: string) {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new CodecError(`${path} is not below 2^53`);
    return number;
  },
};

/** Whether the message, or one inside it, was recorded in another shape than today's. */
function hasUpcast(schema: DescMessage, upcasts: Upcasts, above: readonly DescMessage[] = []): boolean {
  if (upcasts[schema.typeName]) return true;
  const inside = schema.fields.flatMap(({ message }) => message ?? []);
  const path = [...above, schema];
  return inside.some(inner => !path.includes(inner) && hasUpcast(inner, upcasts, path));
}

/** `DEVICE_KIND_GPU` on the wire is `'gpu'` in the domain. */
const namesOf = ({ sharedPrefix = '', values }: DescEnum): ReadonlyMap<number, string> =>
  new Map(values.map(({ name, number }) => [number, name.slice(sharedPrefix.length).toLowerCase()]));

function enumeration(schema: DescEnum): { encode: Convert; decode: Convert } {
  const names = namesOf(schema);
  const numbers = new Map([...names].map(([number, name]) => [name, number]));
  return {
    encode(value, path) {
      const number = numbers.get(value as string);
      if (number === undefined)
        throw new CodecError(`${path} must be one of ${[...numbers.keys()].join(', ')}`);
      return number;
    },
    decode(value, path) {
      const name = names.get(value as number);
      if (name === undefined) throw new CodecError(`${path} has the unknown value ${String(value)}`);
      return name;
    },
  };
}

const today = new Codecs(registry, upcasts);
