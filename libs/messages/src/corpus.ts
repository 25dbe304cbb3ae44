import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createFileRegistry,
  fromBinary,
  type DescField,
  type DescMessage,
  type FileRegistry,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Codecs } from './codec.js';
import type { Plain } from './upcasts.js';

/** A message as a released version wrote it, and what it said. */
export type RecordedExample = {
  readonly version: number;
  readonly typeName: string;
  readonly bytes: Uint8Array;
  /** The payload in JSON: big integers as decimal strings, dates in ISO 8601, bytes in base64. */
  readonly says: unknown;
};

/** A recursive message is cut off here: deep enough for every payload, shallow enough to stay small. */
const depthMax = 8;
const firstMoment = Date.UTC(2026, 0, 1);
const beyond64Bits = 10n ** 21n;

/** The schema in an image that `buf build` wrote. */
export const schemaIn = (image: Uint8Array): FileRegistry =>
  createFileRegistry(fromBinary(FileDescriptorSetSchema, image));

/** Every message of ours in a schema, by name. */
export const messagesOf = (schema: FileRegistry): readonly DescMessage[] =>
  [...schema]
    .filter(type => type.kind === 'message')
    .filter(type => type.typeName.startsWith('astro.'))
    .sort((left, right) => (left.typeName < right.typeName ? -1 : 1));

/**
 * One payload of a message with every field set, which follows from the schema alone: a changed shape gives another
 * one. Enumerations have their last value, so that a new value is recorded too.
 */
export function exampleOf(message: DescMessage, depth = 0): Plain {
  const fields = depth < depthMax ? message.fields : [];
  return Object.fromEntries(fields.map(field => [field.localName, fieldExample(field, depth)]));
}

function fieldExample(field: DescField, depth: number): unknown {
  if (field.fieldKind === 'list')
    return [valueExample(field, `${field.name} 1`, depth), valueExample(field, `${field.name} 2`, depth)];
  if (field.fieldKind === 'map') return { [`${field.name} key`]: `${field.name} value` };
  return valueExample(field, field.name, depth);
}

function valueExample(field: DescField, label: string, depth: number): unknown {
  const seed = createHash('sha256').update(label).digest();
  if (field.message?.typeName === 'google.protobuf.Timestamp')
    return new Date(firstMoment + seed.readUInt32BE());
  if (field.message) return exampleOf(field.message, depth + 1);
  if (field.enum) {
    const prefix = field.enum.sharedPrefix ?? '';
    return field.enum.values.at(-1)!.name.slice(prefix.length).toLowerCase();
  }
  if (field.name.endsWith('_atto')) return beyond64Bits + BigInt(seed.readUInt32BE());
  return scalarExample(field, label, seed);
}

/** By protobuf's own numbers of scalar types: 8 is bool, 9 string, 12 bytes, 1 and 2 floating point. */
function scalarExample(field: DescField, label: string, seed: Buffer): unknown {
  if (field.scalar === 8) return true;
  if (field.scalar === 9) return label;
  if (field.scalar === 12) return Uint8Array.from(seed.subarray(0, 8));
  if (field.scalar === 1 || field.scalar === 2) return seed.readUInt8() + 0.5;
  return seed.readUInt16BE();
}

/** Everything recorded in `folder`, which holds `<version>/<type>.bin` and `.json` of every released shape. */
export function readCorpus(folder: string): readonly RecordedExample[] {
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).map(Number);
  return versions
    .sort((left, right) => left - right)
    .flatMap(version => {
      const files = readdirSync(join(folder, String(version))).filter(name => name.endsWith('.bin'));
      return files
        .sort()
        .map(file => read(join(folder, String(version)), file.slice(0, -'.bin'.length), version));
    });
}

const read = (folder: string, typeName: string, version: number): RecordedExample => ({
  version,
  typeName,
  bytes: readFileSync(join(folder, `${typeName}.bin`)),
  says: JSON.parse(readFileSync(join(folder, `${typeName}.json`), 'utf8')),
});

/**
 * Records one example of each message of `schema` whose shape the corpus does not hold yet, as a new version of the
 * corpus. @returns the names of what was recorded
 */
export function growCorpus(folder: string, schema: FileRegistry): readonly string[] {
  const recorded = readCorpus(folder);
  const version = Math.max(0, ...recorded.map(example => example.version)) + 1;
  const codecs = new Codecs(schema, {});
  const fresh = messagesOf(schema)
    .map(message => ({ typeName: message.typeName, payload: exampleOf(message) }))
    .map(({ typeName, payload }) => ({ typeName, payload, bytes: codecs.encode(typeName, payload) }))
    .filter(
      ({ typeName, bytes }) =>
        !recorded.some(known => known.typeName === typeName && isSame(known.bytes, bytes)),
    );
  if (fresh.length > 0) mkdirSync(join(folder, String(version)), { recursive: true });
  for (const { typeName, payload, bytes } of fresh) {
    const path = join(folder, String(version), typeName);
    writeFileSync(`${path}.bin`, bytes);
    writeFileSync(`${path}.json`, `${JSON.stringify(toJson(payload), undefined, 2)}\n`);
  }
  return fresh.map(({ typeName }) => typeName);
}

const isSame = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0;

/** A payload as JSON can say it. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toJson(inner)]));
}
