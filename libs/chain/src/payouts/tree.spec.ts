import { expect, test } from '@jest/globals';
import { bytes32Of, idIn } from './ids.js';
import { isProven, PayoutTree, type Payout } from './tree.js';

const list = bytes32Of('batch_01h455vb4pex5vsknk084sn02q');
const payouts: readonly Payout[] = Array.from({ length: 5 }, (_, index) => ({
  list,
  index,
  account: `0x${(index + 1).toString(16).padStart(40, '0')}`,
  amount: 10n ** 18n + BigInt(index),
}));

test('the proof of a payout shows that it is in the tree, and shows nothing of another', () => {
  const tree = new PayoutTree(payouts);
  for (const payout of payouts) {
    const proof = tree.proofOf(payout.index);
    expect(isProven(tree.root, payout, proof)).toBe(true);
    expect(isProven(tree.root, { ...payout, amount: payout.amount + 1n }, proof)).toBe(false);
    for (const other of payouts) expect(isProven(tree.root, other, proof)).toBe(other.index === payout.index);
  }
});

test('payouts that are out of order, or none, make no tree', () => {
  expect(() => new PayoutTree([])).toThrow('no payouts');
  expect(() => new PayoutTree([...payouts].reverse())).toThrow('payout 0 is out of order');
});

test('an id is the same on the chain and here', () => {
  expect(idIn(list)).toBe('batch_01h455vb4pex5vsknk084sn02q');
  expect(idIn(`0x${'00'.repeat(32)}`)).toBeUndefined();
  expect(() => bytes32Of('batch_1')).toThrow('no id of 32 characters');
});
