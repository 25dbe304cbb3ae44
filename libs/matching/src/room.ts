import { holdFor, take, type Hold } from './capacity.js';
import type { FreeCapacity, NodeSnapshot, Requirements } from './node.js';
import { couldHost } from './rules.js';

export type Taken = { readonly node: NodeSnapshot; readonly hold: Hold };
type Candidate = { readonly node: NodeSnapshot; free: FreeCapacity };

/** The free capacity of a pool as one tick uses it up; the pool itself does not change. */
export class Room {
  readonly #candidates: readonly Candidate[];
  readonly #eligible = new Map<Requirements, readonly Candidate[]>();

  constructor(nodes: readonly NodeSnapshot[]) {
    this.#candidates = nodes.map(node => ({ node, free: node.free })).sort(cheaper);
  }

  /**
   * Takes room for one replica on the cheapest node that fits; of equally cheap ones on the one with most free
   * CPU, then memory, then by node id. Undefined when there is none.
   */
  take(
    needs: Requirements,
    operatorsExcluded: ReadonlySet<string>,
    nodesExcluded: ReadonlySet<string>,
  ): Taken | undefined {
    let best: Candidate | undefined;
    for (const candidate of this.#eligibleFor(needs)) {
      const { node, free } = candidate;
      if (best && node.pricePerSecondAtto > best.node.pricePerSecondAtto) break;
      if (nodesExcluded.has(node.nodeId) || operatorsExcluded.has(node.operatorId)) continue;
      if (!holdFor(needs, { total: node.total, free })) continue;
      if (!best || compareFree(candidate, best) < 0) best = candidate;
    }
    if (!best) return undefined;
    const { node, free } = best;
    const hold = holdFor(needs, { total: node.total, free })!;
    best.free = take(free, hold);
    return { node, hold };
  }

  #eligibleFor(needs: Requirements): readonly Candidate[] {
    const known = this.#eligible.get(needs);
    if (known) return known;
    const eligible = this.#candidates.filter(({ node }) => couldHost(needs, node));
    this.#eligible.set(needs, eligible);
    return eligible;
  }
}

const cheaper = (a: Candidate, b: Candidate) =>
  compare(a.node.pricePerSecondAtto, b.node.pricePerSecondAtto) || compare(a.node.nodeId, b.node.nodeId);

/** Negative when `a` has more room. */
const compareFree = (a: Candidate, b: Candidate) =>
  b.free.cpuMillis - a.free.cpuMillis ||
  b.free.memoryMib - a.free.memoryMib ||
  compare(a.node.nodeId, b.node.nodeId);

const compare = <T extends bigint | string>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);
