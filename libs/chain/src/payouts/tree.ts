import { StandardMerkleTree } from '@openzeppelin/merkle-tree';

/** What one account may claim of a list; `Payout` of Payouts.sol. */
export type Payout = {
  /** 32 bytes in hex. */
  readonly list: string;
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly account: string;
  /** Base units. */
  readonly amount: bigint;
};

type Leaf = [list: string, index: string, account: string, amount: string];

/** The types of a leaf: those that Payouts.sol hashes. */
const leafEncoding = ['bytes32', 'uint256', 'address', 'uint256'];

/** The Merkle tree over the payouts of a list, as OpenZeppelin's standard tree and Payouts.sol have it. */
export class PayoutTree {
  /** The root first, then level by level: below place i are 2i + 1 and 2i + 2. */
  readonly #nodes: readonly string[];
  /** Where each payout's leaf is among the nodes. */
  readonly #places: readonly number[];

  /** @param payouts in the order of their indices, from 0; at least one @throws RangeError */
  constructor(payouts: readonly Payout[]) {
    const stray = payouts.findIndex(({ index }, place) => index !== place);
    if (payouts.length === 0 || stray >= 0)
      throw new RangeError(payouts.length === 0 ? 'a list of no payouts' : `payout ${stray} is out of order`);
    const { tree, values } = StandardMerkleTree.of(payouts.map(leafOf), leafEncoding).dump();
    this.#nodes = tree;
    this.#places = values.map(({ treeIndex }) => treeIndex);
  }

  /** 32 bytes in hex. */
  get root(): string {
    return this.#nodes[0]!;
  }

  /** What `Escrow.claim` wants beside the payout: the other child at each node on the way up. @throws RangeError */
  proofOf(index: number): readonly string[] {
    const proof: string[] = [];
    let place = this.#places[index];
    if (place === undefined) throw new RangeError(`the list has no payout ${index}`);
    for (; place > 0; place = (place - 1) >> 1)
      proof.push(this.#nodes[place % 2 === 1 ? place + 1 : place - 1]!);
    return proof;
  }
}

/** Whether the proof shows that exactly this payout is in the list with this root. */
export const isProven = (root: string, payout: Payout, proof: readonly string[]): boolean =>
  StandardMerkleTree.verify<Leaf>(root, leafEncoding, leafOf(payout), [...proof]);

const leafOf = ({ list, index, account, amount }: Payout): Leaf => [
  list,
  String(index),
  account,
  amount.toString(),
];
