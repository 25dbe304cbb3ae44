import { Random } from '@astro/matching/engine/random';
import { shuffle } from '@astro/matching/policy/learning/draws';
import { devicesOf, type TracePod } from './trace.js';

/** Arrivals go on until they have asked for this much of the cluster's devices. */
export const tunedTo = 1.3;

/**
 * The order of arrivals of one run: the pods shuffled, then drawn again with replacement until they ask for 1.3 of
 * the cluster's devices; where they ask for more already, random ones are left out.
 */
export function arrivalsOf(pods: readonly TracePod[], clusterDevices: number, random: Random): TracePod[] {
  const arrivals = shuffle([...pods], random);
  const wanted = tunedTo * clusterDevices;
  let devices = arrivals.reduce((sum, pod) => sum + devicesOf(pod), 0);
  if (devices === 0) throw new Error('no pod of the file asks for a device');
  while (devices > wanted) {
    const [left] = arrivals.splice(random.below(arrivals.length), 1);
    devices -= devicesOf(left!);
  }
  while (devices < wanted) {
    const pod = pods[random.below(pods.length)]!;
    arrivals.push(pod);
    devices += devicesOf(pod);
  }
  return arrivals;
}

/** Numbers of their own for each purpose: a policy that draws some does not change what arrives. */
export const randomFor = (seed: number, purpose: 'arrivals' | 'node order'): Random =>
  new Random(seed * 7919 + (purpose === 'arrivals' ? 1 : 2));

/** Nodes in the order that decides ties. */
export const nodeOrder = <Node>(nodes: readonly Node[], seed: number): Node[] =>
  shuffle([...nodes], randomFor(seed, 'node order'));
