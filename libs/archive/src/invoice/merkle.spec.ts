import { expect, test } from '@jest/globals';
import { leafHash, rootByProof, treeOf } from './merkle.js';

const leaves = (size: number) =>
  Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));

test.each([1, 2, 3, 4, 5, 7, 8, 9, 31, 100])('of %s leaves each is proven at its own place only', size => {
  const all = leaves(size);
  const { root, proofOf } = treeOf(all);
  for (const [index, leaf] of all.entries()) {
    expect(rootByProof(leaf, { index, size }, proofOf(index))).toEqual(root);
    const elsewhere = (index + 1) % size;
    if (size > 1) expect(rootByProof(leaf, { index: elsewhere, size }, proofOf(index))).not.toEqual(root);
    expect(rootByProof(leaf, { index, size }, [...proofOf(index), root])).not.toEqual(root);
  }
});

test('the roots are those of RFC 9162: of no leaf, and of one that is empty', () => {
  const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const empty = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';
  expect(treeOf([]).root.toString('hex')).toBe(nothing);
  expect(treeOf([leafHash(new Uint8Array())]).root.toString('hex')).toBe(empty);
});
