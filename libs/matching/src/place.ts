import { holdFor, take, type Hold } from './capacity.js';
import type { FreeCapacity, NodeSnapshot, Requirements } from './node.js';
import { couldHost } from './rules.js';

/** One replica that waits. Replicas of one task share their `taskId` and go to different operators. */
export type PlacementRequest = {
  readonly taskId: string;
  /** Requests that share one requirements object are of one class, which the engine filters once. */
  readonly requirements: Requirements;
  /** Operators that already work, or have worked, on the task. */
  readonly operatorsExcluded: ReadonlySet<string>;
  /** Nodes that failed the task. */
  readonly nodesExcluded: ReadonlySet<string>;
};

export type Placement<Request extends PlacementRequest = PlacementRequest> = {
  readonly request: Request;
  readonly nodeId: string;
  readonly operatorId: string;
  readonly pricePerSecondAtto: bigint;
  readonly hold: Hold;
};

type Candidate = { readonly node: NodeSnapshot; free: FreeCapacity };
type Choice = { readonly candidate: Candidate; readonly hold: Hold };

/**
 * Places requests in their order, each on the cheapest node that fits; of equally cheap ones on the one with
 * most free CPU, then memory, then by node id. What does not fit is passed over and does not hold up the
 * rest. Deterministic. Cost: O(requests × nodes of the class) at worst; a class that found its nodes full is
 * skipped.
 */
export function place<Request extends PlacementRequest>(
  nodes: Iterable<NodeSnapshot>,
  requests: Iterable<Request>,
  maxPlacements: number,
): readonly Placement<Request>[] {
  // 1. All candidates, cheapest first, with the capacity that is left as this call places.
  const candidates = [...nodes].map(node => ({ node, free: node.free })).sort(cheaper);
  const classes = new Map<Requirements, readonly Candidate[]>();
  const fullClasses = new Set<Requirements>();
  const operatorsPlaced = new Map<string, Set<string>>();
  const placements: Placement<Request>[] = [];

  for (const request of requests) {
    if (placements.length >= maxPlacements) break;
    const { requirements, taskId } = request;
    if (fullClasses.has(requirements)) continue;

    // 2. Hard filters that do not depend on load, once for each class of requests.
    let eligible = classes.get(requirements);
    if (!eligible) {
      eligible = candidates.filter(({ node }) => couldHost(requirements, node));
      classes.set(requirements, eligible);
    }

    // 3. The cheapest that fits now. Free capacity only shrinks here, so a class that is full stays full.
    const placed = operatorsPlaced.get(taskId) ?? new Set();
    const choice = cheapestThatFits(request, eligible, placed);
    if (choice === 'full') fullClasses.add(requirements);
    if (choice === 'full' || choice === 'excluded') continue;

    // 4. Hold what was chosen.
    const { candidate, hold } = choice;
    const { nodeId, operatorId, pricePerSecondAtto } = candidate.node;
    candidate.free = take(candidate.free, hold);
    operatorsPlaced.set(taskId, placed.add(operatorId));
    placements.push({ request, nodeId, operatorId, pricePerSecondAtto, hold });
  }
  return placements;
}

/** `full`: no node of the class has room for anybody; `excluded`: those with room must not take this task. */
function cheapestThatFits(
  { requirements, operatorsExcluded, nodesExcluded }: PlacementRequest,
  eligible: readonly Candidate[],
  operatorsPlaced: ReadonlySet<string>,
): Choice | 'full' | 'excluded' {
  let best: Choice | undefined;
  let anyRoom = false;
  for (const candidate of eligible) {
    const { node, free } = candidate;
    if (best && node.pricePerSecondAtto > best.candidate.node.pricePerSecondAtto) break;
    const hold = holdFor(requirements, { total: node.total, free });
    if (!hold) continue;
    anyRoom = true;
    if (nodesExcluded.has(node.nodeId)) continue;
    if (operatorsExcluded.has(node.operatorId) || operatorsPlaced.has(node.operatorId)) continue;
    if (!best || compareFree(candidate, best.candidate) < 0) best = { candidate, hold };
  }
  return best ?? (anyRoom ? 'excluded' : 'full');
}

const cheaper = (a: Candidate, b: Candidate) =>
  compare(a.node.pricePerSecondAtto, b.node.pricePerSecondAtto) || compare(a.node.nodeId, b.node.nodeId);

/** Negative when `a` has more room. */
const compareFree = (a: Candidate, b: Candidate) =>
  b.free.cpuMillis - a.free.cpuMillis ||
  b.free.memoryMib - a.free.memoryMib ||
  compare(a.node.nodeId, b.node.nodeId);

const compare = <T extends bigint | string>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);
