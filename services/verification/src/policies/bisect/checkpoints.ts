import type { DigestOf } from '../../commit-reveal/commit-reveal.js';

/**
 * The Merkle root of a run: leaf 0 is the digest of the state before the first step, leaf i the one after step i.
 * Leaves and nodes are hashed under different names, so that no node passes for a leaf; a node without a sibling goes
 * up as it is.
 */
export function rootOf(checkpoints: readonly string[], digestOf: DigestOf): string {
  if (checkpoints.length === 0) throw new RangeError('a run has at least the checkpoint that it begins with');
  let level = checkpoints.map(checkpoint => leafOf(checkpoint, digestOf));
  while (level.length > 1) level = levelAbove(level, digestOf);
  return level[0]!;
}

/** What shows that a checkpoint is under the root: the sibling on each level that has one, from below. */
export function proofOf(
  checkpoints: readonly string[],
  index: number,
  digestOf: DigestOf,
): readonly string[] {
  const proof: string[] = [];
  let level = checkpoints.map(checkpoint => leafOf(checkpoint, digestOf));
  for (let place = index; level.length > 1; place >>= 1) {
    const sibling = level[place ^ 1];
    if (sibling !== undefined) proof.push(sibling);
    level = levelAbove(level, digestOf);
  }
  return proof;
}

export type Shown = { readonly checkpoint: string; readonly proof: readonly string[] };

/** Whether it is the checkpoint at `index` of a run of so many `checkpoints` with this root. */
export function isUnder(
  root: string,
  { checkpoint, proof }: Shown,
  index: number,
  checkpoints: number,
  digestOf: DigestOf,
): boolean {
  if (!Number.isInteger(index) || index < 0 || index >= checkpoints) return false;
  let node = leafOf(checkpoint, digestOf);
  let used = 0;
  for (let place = index, width = checkpoints; width > 1; place >>= 1, width = (width + 1) >> 1) {
    if ((place ^ 1) >= width) continue;
    const sibling = proof[used++];
    if (sibling === undefined) return false;
    node = place % 2 === 0 ? nodeOf(node, sibling, digestOf) : nodeOf(sibling, node, digestOf);
  }
  return used === proof.length && node === root;
}

const leafOf = (checkpoint: string, digestOf: DigestOf) => digestOf(`leaf\n${checkpoint}`);
const nodeOf = (left: string, right: string, digestOf: DigestOf) => digestOf(`node\n${left}\n${right}`);

function levelAbove(level: readonly string[], digestOf: DigestOf): string[] {
  const above: string[] = [];
  for (let place = 0; place < level.length; place += 2) {
    const right = level[place + 1];
    above.push(right === undefined ? level[place]! : nodeOf(level[place]!, right, digestOf));
  }
  return above;
}
