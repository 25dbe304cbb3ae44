import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TypeID } from 'typeid-js';
import { derivedId, isId, newId } from './ids.js';

test('a new id is a TypeID of its prefix, and no two are the same', () => {
  const ids = Array.from({ length: 1_000 }, () => newId('job'));
  expect(new Set(ids).size).toBe(1_000);
  expect(ids.every(id => isId('job', id))).toBe(true);
  expect(isId('node', ids[0]!)).toBe(false);
});

test('new ids sort by the time they were made', async () => {
  const first = newId('job');
  await new Promise(resolve => setTimeout(resolve, 5));
  expect(newId('job') > first).toBe(true);
});

test('what is no TypeID is refused', () => {
  for (const text of [
    '',
    'job',
    'job_',
    'job_zzzz',
    'job_01h455vb4pex5vsknk084sn02!',
    '_01h455vb4pex5vsknk084sn02q',
  ])
    expect(isId('job', text)).toBe(false);
});

test('a derived id follows from its parts alone', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1 }), parts => {
      const id = derivedId('lease', ...parts);
      expect(isId('lease', id)).toBe(true);
      expect(derivedId('lease', ...parts)).toBe(id);
    }),
  );
});

test('a derived id is the TypeID of the first half of a SHA-256, marked as a UUIDv8', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1 }), parts => {
      const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
      bytes[6] = (bytes[6]! & 0x0f) | 0x80;
      bytes[8] = (bytes[8]! & 0x3f) | 0x80;
      expect(derivedId('lease', ...parts)).toBe(TypeID.fromUUIDBytes('lease', bytes).toString());
    }),
  );
});

test('parts do not run together', () => {
  const ids = [
    derivedId('x', 'ab', 'c'),
    derivedId('x', 'a', 'bc'),
    derivedId('x', 'abc'),
    derivedId('x', 'ab', 'c', ''),
  ];
  expect(new Set(ids).size).toBe(4);
});
