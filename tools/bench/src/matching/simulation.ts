import type { AllocationPolicy } from '@astro/matching/policy/potential';
import { devicesOf, keyOfClass, keyOfShape, type NodeShape, type RequestClass } from '@astro/matching/policy/workload';
import { shuffle, type Random } from '@astro/matching/policy/seeded-random';
import { doesNotFit, StateTable } from './state-table.js';
import type { TraceNode, TracePod } from './trace.js';

export class Distinct<T> {
  readonly items: T[] = [];
  private readonly indexes = new Map<string, number>();
  constructor(private readonly keyOf: (item: T) => string) {}
  indexOf(item: T): number {
    const key = this.keyOf(item);
    const known = this.indexes.get(key);
    if (known !== undefined) return known;
    this.indexes.set(key, this.items.length);
    return this.items.push(item) - 1;
  }
}

export type Pool = {
  readonly shapes: readonly NodeShape[];
  readonly classes: readonly RequestClass[];
  readonly shapeOfNode: Int32Array;
  readonly memoryOfNode: Int32Array;
  readonly classOfPod: ReadonlyMap<TracePod, number>;
  readonly devices: number;
};

export function poolOf(nodes: readonly TraceNode[], pods: readonly TracePod[]): Pool {
  const shapes = new Distinct<NodeShape>(keyOfShape);
  const classes = new Distinct<RequestClass>(keyOfClass);
  const shapeOfNode = Int32Array.from(nodes, node => shapes.indexOf(node.shape));
  const memoryOfNode = Int32Array.from(nodes, node => node.memoryMib);
  const classOfPod = new Map(pods.map(pod => [pod, classes.indexOf(pod.requestClass)]));
  return {
    shapes: shapes.items,
    classes: classes.items,
    shapeOfNode,
    memoryOfNode,
    classOfPod,
    devices: nodes.reduce((sum, node) => sum + node.shape.deviceCount, 0),
  };
}

/** Allocated devices, as a percentage of the cluster's, by arrived percentage. */
export type Curve = { readonly allocated: Float64Array; readonly arrivals: Float64Array; readonly extra: Float64Array };

export function simulate(
  pool: Pool,
  table: StateTable,
  _policy: AllocationPolicy,
  arrivals: readonly TracePod[],
  random: Random,
  watts?: (state: number) => number,
): Curve {
  const order = shuffle([...pool.shapeOfNode.keys()], random);
  const nodeCount = order.length;
  const emptyOf = pool.shapes.map((_, shape) => table.empty(shape));
  const stateOf = Int32Array.from(order, node => emptyOf[pool.shapeOfNode[node]!]!);
  const memory = Int32Array.from(order, node => pool.memoryOfNode[node]!);
  const gains: (Float64Array | undefined)[] = pool.classes.map(() => undefined);
  const cursors = new Int32Array(pool.classes.length);
  const changed: number[] = [];
  const bins = { sum: new Float64Array(132), count: new Float64Array(132), extra: new Float64Array(132) };
  let arrived = 0;
  let allocated = 0;
  let power = 0;
  if (watts) for (const state of stateOf) power += watts(state);
  for (const pod of arrivals) {
    const classIndex = pool.classOfPod.get(pod)!;
    let gain = gains[classIndex];
    if (!gain) {
      gain = gains[classIndex] = new Float64Array(nodeCount);
      for (let node = 0; node < nodeCount; node++) gain[node] = scoreOf(table, _policy, stateOf[node]!, classIndex);
    } else {
      for (let at = cursors[classIndex]!; at < changed.length; at++) {
        const node = changed[at]!;
        gain[node] = scoreOf(table, _policy, stateOf[node]!, classIndex);
      }
    }
    cursors[classIndex] = changed.length;
    let best = -1;
    let bestGain = -Infinity;
    let bestTie = 0;
    const { ties } = table;
    for (let node = 0; node < nodeCount; node++) {
      const value = gain[node]!;
      if (value < bestGain - 1e-6 || value === -Infinity || memory[node]! < pod.memoryMib) continue;
      if (value <= bestGain + 1e-6) {
        const tie = ties[stateOf[node]!]!;
        if (tie >= bestTie) continue;
        bestTie = tie;
      } else bestTie = ties[stateOf[node]!]!;
      best = node;
      bestGain = value;
    }
    const devices = devicesOf(pod.requestClass);
    arrived += devices;
    if (best >= 0) {
      const next = table.after(stateOf[best]!, classIndex);
      if (watts) power += watts(next) - watts(stateOf[best]!);
      stateOf[best] = next;
      memory[best] = memory[best]! - pod.memoryMib;
      allocated += devices;
      changed.push(best);
    }
    const bin = Math.min(131, Math.round((100 * arrived) / pool.devices));
    bins.sum[bin] = bins.sum[bin]! + (100 * allocated) / pool.devices;
    bins.count[bin] = bins.count[bin]! + 1;
    bins.extra[bin] = bins.extra[bin]! + power;
  }
  return { allocated: bins.sum.map((sum, bin) => sum / bins.count[bin]!), arrivals: bins.count, extra: bins.extra.map((sum, bin) => sum / bins.count[bin]!) };
}

const scoreOf = (table: StateTable, policy: AllocationPolicy, state: number, classIndex: number): number => {
  const next = table.after(state, classIndex);
  return next === doesNotFit ? -Infinity : policy.score(table.values[state]!, table.values[next]!);
};
