import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { structured } from './snapshot-format.js';

const values = fc.letrec(tie => ({
  value: fc.oneof(
    fc.string(),
    fc.integer(),
    fc.bigInt(),
    fc.boolean(),
    fc.date({ noInvalidDate: true }),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map(entries => new Map(entries)),
    fc.array(fc.string(), { maxLength: 3 }).map(items => new Set(items)),
  ),
})).value;

/** Text that tells apart what is not the same, whatever realm the objects are of. */
function written(value: unknown): string {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (kind === 'Map' || kind === 'Set' || kind === 'Array') {
    return `${kind}(${[...(value as Iterable<unknown>)].map(written).join()})`;
  }
  if (kind === 'Date') return `Date(${(value as Date).getTime()})`;
  if (kind === 'Object') {
    return `{${Object.entries(value as object).map(([name, item]) => `${JSON.stringify(name)}:${written(item)}`)}}`;
  }
  return `${kind}:${typeof value === 'string' ? JSON.stringify(value) : Object.is(value, -0) ? '-0' : String(value)}`;
}

test('a state comes back exactly as it was written down', () => {
  const { encode, decode } = structured<unknown>(1);
  fc.assert(fc.property(values, value => expect(written(decode(encode(value)))).toBe(written(value))));
});

test('bytes of something else cannot be decoded', () => {
  expect(() => structured(1).decode(new TextEncoder().encode('not a state'))).toThrow();
});
