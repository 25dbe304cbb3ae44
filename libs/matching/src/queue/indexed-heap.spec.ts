import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IndexedHeap } from './indexed-heap.js';

type Item = { readonly key: number; readonly id: number; slot: number };
const isBefore = (a: Item, b: Item) => a.key < b.key || (a.key === b.key && a.id < b.id);

test('whatever enters and leaves, the rest comes out in order and every member knows its slot', () => {
  const anyActs = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ act: fc.constant('push' as const), key: fc.nat(99) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('pop' as const), key: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), key: fc.nat(100) }) },
    ),
    { maxLength: 200, size: 'max' },
  );
  fc.assert(
    fc.property(anyActs, acts => {
      const heap = new IndexedHeap<Item>(isBefore);
      let expected: Item[] = [];
      for (const [id, { act, key }] of acts.entries()) {
        if (act === 'push') {
          const item = { key, id, slot: -1 };
          heap.push(item);
          expected = [...expected, item].sort((a, b) => (isBefore(a, b) ? -1 : 1));
        } else if (act === 'pop') {
          expect(heap.pop()).toBe(expected.shift());
        } else if (expected.length > 0) {
          const [item] = expected.splice(key % expected.length, 1);
          heap.remove(item!);
        }
        expect(heap.size).toBe(expected.length);
        expect(expected.every(item => heap.at(item.slot) === item)).toBe(true);
      }
      expect(expected.map(() => heap.pop())).toEqual(expected);
    }),
  );
});

test('a stranger cannot be removed', () => {
  const heap = new IndexedHeap<Item>(isBefore);
  heap.push({ key: 1, id: 1, slot: 0 });
  expect(() => heap.remove({ key: 1, id: 1, slot: 0 })).toThrow('not in this heap');
});
