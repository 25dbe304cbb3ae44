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
  readonly #tree: StandardMerkleTree<Leaf>;

  /** @param payouts in the order of their indices, from 0; at least one @throws RangeError */
  constructor(payouts: readonly Payout[]) {
    const stray = payouts.findIndex(({ index }, place) => index !== place);
    if (payouts.length === 0 || stray >= 0)
      throw new RangeError(payouts.length === 0 ? 'a list of no payouts' : `payout ${stray} is out of order`);
    this.#tree = StandardMerkleTree.of(payouts.map(leafOf), leafEncoding);
  }

  /** 32 bytes in hex. */
  get root(): string {
    return this.#tree.root;
  }

  /** What `Escrow.claim` wants beside the payout. @throws Error when there is none of this index */
  proofOf(index: number): readonly string[] {
    return this.#tree.getProof(index);
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
