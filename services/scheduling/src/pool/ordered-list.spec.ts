import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { OrderedList } from './ordered-list.js';

const ascending = (left: number, right: number) => left - right;

test('it is a sorted set, whatever is added and removed', () => {
  const anyChange = fc.record({ value: fc.nat({ max: 4_000 }), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 3_000, size: 'max' }), changes => {
      const list = new OrderedList<number>(ascending);
      const expected = new Set<number>();
      for (const { value, isRemoval } of changes) {
        if (isRemoval && expected.delete(value)) list.remove(value);
        if (isRemoval || expected.has(value)) continue;
        list.add(value);
        expected.add(value);
      }
      const sorted = [...expected].sort(ascending);
      expect([...list]).toEqual(sorted);
      expect([list.size, list.first]).toEqual([sorted.length, sorted[0]]);
      for (const bound of [-1, 0, 1_500, 4_001])
        expect(list.firstNotBefore(value => value < bound)).toBe(sorted.find(value => value >= bound));
    }),
    { numRuns: 30 },
  );
});

test('what it does not hold cannot be removed', () => {
  const list = new OrderedList<number>(ascending);
  expect(() => list.remove(1)).toThrow('does not hold');
  list.add(1);
  list.add(3);
  expect(() => list.remove(2)).toThrow('does not hold');
  expect([...list]).toEqual([1, 3]);
});
