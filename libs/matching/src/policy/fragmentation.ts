import type { FreeState } from './potential.js';
import { isAllowedOn, keyOfClass, type ClassCount, type NodeShape, type RequestClass } from './workload.js';

/** A class and how likely the next request is of it. */
export type TypicalPod = { readonly requestClass: RequestClass; readonly probability: number };

/** FGD takes the most frequent classes that together make this part of a workload. */
const typicalPart = 0.95;

/**
 * The most frequent classes of a workload, CPU-only ones included.
 *
 * Source: the simulator of Weng et al., "Beware of Fragmentation", USENIX ATC 2023.
 */
export function typicalPods(counts: readonly ClassCount[]): TypicalPod[] {
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const byCount = counts.toSorted(
    (a, b) => b.count - a.count || compare(keyOfClass(a.requestClass), keyOfClass(b.requestClass)),
  );
  const typical: ClassCount[] = [];
  let covered = 0;
  for (const entry of byCount) {
    if (covered >= typicalPart * total) break;
    typical.push(entry);
    covered += entry.count;
  }
  return typical.map(({ requestClass, count }) => ({ requestClass, probability: count / covered }));
}

/**
 * F_n of the paper: how many thousandths of a node's idle devices the next request is expected not to be able to use.
 * A request that cannot run on the node at all, and one that asks for no device, can use none of them.
 */
export function fragmentation(
  shapes: readonly NodeShape[],
  typical: readonly TypicalPod[],
): (state: FreeState) => number {
  const typicalOfShape = shapes.map(shape =>
    typical.filter(({ requestClass }) => requestClass.deviceCount > 0 && isAllowedOn(requestClass, shape)),
  );
  return ({ shape, cpuMillis, shares }) => {
    const { deviceCount } = shapes[shape]!;
    let idle = 0;
    for (let device = 0; device < deviceCount; device++) idle += shares[device]!;
    let usable = 0;
    for (const { requestClass, probability } of typicalOfShape[shape]!) {
      if (requestClass.cpuMillis > cpuMillis) continue;
      usable += probability * usableThousandths(shares, deviceCount, requestClass);
    }
    return idle - usable;
  };
}

function usableThousandths(shares: Int32Array, deviceCount: number, requestClass: RequestClass): number {
  let fitting = 0;
  let thousandths = 0;
  for (let device = 0; device < deviceCount; device++) {
    if (shares[device]! < requestClass.shareThousandths) continue;
    fitting++;
    thousandths += shares[device]!;
  }
  return fitting < requestClass.deviceCount ? 0 : thousandths;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
