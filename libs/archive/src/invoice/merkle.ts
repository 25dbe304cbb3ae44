import { createHash } from 'node:crypto';

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** SHA-256 of a leaf's bytes. Leaves and nodes begin with different bytes, so that neither passes for the other. */
export const leafHash = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update(LEAF).update(bytes).digest();

const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer =>
  createHash('sha256').update(NODE).update(left).update(right).digest();

/** The largest power of two below `size`: where a tree divides. */
const splitOf = (size: number): number => 2 ** Math.ceil(Math.log2(size) - 1);

export type MerkleTree = {
  readonly root: Buffer;
  /** The other child at each node on the way from the leaf up (RFC 9162, section 2.1.3.1). */
  proofOf(index: number): readonly Buffer[];
};

/**
 * The tree over the leaves in their order, as RFC 9162, section 2.1.1, has it; of none, the hash of nothing. Made from
 * below: neighbours are joined, and a last one without a neighbour moves up as it is, which divides where the RFC does.
 */
export function treeOf(leaves: readonly Buffer[]): MerkleTree {
  const levels: (readonly Buffer[])[] = [leaves];
  for (let level = leaves; level.length > 1;) {
    const above: Buffer[] = [];
    for (let index = 0; index < level.length; index += 2) {
      const [left, right] = [level[index]!, level[index + 1]];
      above.push(right ? nodeHash(left, right) : left);
    }
    levels.push(above);
    level = above;
  }
  return {
    root: levels.at(-1)![0] ?? createHash('sha256').digest(),
    proofOf: index =>
      levels.flatMap((level, height) => level[siblingOf(Math.floor(index / 2 ** height))] ?? []),
  };
}

const siblingOf = (index: number): number => (index % 2 === 0 ? index + 1 : index - 1);

/** The root that the leaf has by this proof, at its place among `size`; undefined when the proof has no such length. */
export function rootByProof(
  leaf: Buffer,
  { index, size }: { readonly index: number; readonly size: number },
  proof: readonly Buffer[],
): Buffer | undefined {
  if (size <= 1) return proof.length === 0 && index === 0 ? leaf : undefined;
  const other = proof.at(-1);
  if (!other) return undefined;
  const split = splitOf(size);
  const below = proof.slice(0, -1);
  if (index < split) {
    const left = rootByProof(leaf, { index, size: split }, below);
    return left && nodeHash(left, other);
  }
  const right = rootByProof(leaf, { index: index - split, size: size - split }, below);
  return right && nodeHash(other, right);
}
