import type { DescField, DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { registry } from './gen/catalogue.js';

const MAX_ITEMS = 3;
/** So few ids of each kind that random events often speak of the same things. */
const IDS_OF_A_KIND = 3;

/**
 * Any payload of a message of `proto/`, as the domain knows it.
 * @param largest of the counts, which are 32 bits wide
 */
export function payloadOf(typeName: string, largest = 0xffffffff): fc.Arbitrary<unknown> {
  const schema = registry.getMessage(typeName);
  if (!schema) throw new Error(`there is no message ${typeName} in proto/`);
  return recordOf(schema, largest);
}

/** Optional fields are there or not. */
const recordOf = (schema: DescMessage, largest: number): fc.Arbitrary<unknown> =>
  fc.record(Object.fromEntries(schema.fields.map(field => [field.localName, fieldOf(field, largest)])), {
    noNullPrototype: true,
    requiredKeys: schema.fields
      .filter(({ proto }) => !proto.proto3Optional)
      .map(({ localName }) => localName),
  });

function fieldOf(field: DescField, largest: number): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'list':
      return fc.array(valueOf(field, largest), { maxLength: MAX_ITEMS });
    case 'map':
      return fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), {
        maxKeys: MAX_ITEMS,
        noNullPrototype: true,
      });
  }
  return valueOf(field, largest);
}

function valueOf(field: DescField, largest: number): fc.Arbitrary<unknown> {
  const { message, scalar, name } = field;
  if (message?.typeName === 'google.protobuf.Timestamp') return date;
  if (message) return recordOf(message, largest);
  if (field.enum) {
    const { values, sharedPrefix = '' } = field.enum;
    return fc.constantFrom(...values.map(value => value.name.slice(sharedPrefix.length).toLowerCase()));
  }
  if (name.endsWith('_atto')) return fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n });
  const isText = scalar === 9;
  if (isText && (name.endsWith('_id') || name === 'account'))
    return fc.integer({ min: 1, max: IDS_OF_A_KIND }).map(id => `${name}_${id}`);
  switch (scalar) {
    case 1:
      return fc.double({ noNaN: true });
    case 8:
      return fc.boolean();
    case 12:
      return fc.uint8Array({ maxLength: 40 });
    case 13:
      return fc.oneof(fc.nat(200), fc.integer({ min: 0, max: largest }));
    case 3:
    case 4:
      return fc.oneof(fc.nat(200), fc.maxSafeNat());
  }
  return text;
}

/** As PostgreSQL takes it: without zero characters. */
const text = fc
  .oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 }))
  .filter(value => !value.includes('\0'));

const date = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('2200-01-01T00:00:00Z'),
  noInvalidDate: true,
});
