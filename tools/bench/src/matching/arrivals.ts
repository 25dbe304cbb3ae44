import { seededRandom, shuffle, type Random } from '@astro/matching/policy/seeded-random';
import { devicesOf } from '@astro/matching/policy/workload';
import type { TracePod } from './trace.js';

/** Arrivals go on until they asked for this much of the cluster's devices. */
const tunedTo = 1.3;

/**
 * The order of arrivals of one run: the pods shuffled, then drawn again with replacement until they ask for 1.3 of
 * the cluster's devices; where they ask for more already, random ones are left out.
 */
export function arrivalsOf(pods: readonly TracePod[], clusterDevices: number, random: Random): TracePod[] {
  const arrivals = shuffle([...pods], random);
  const wanted = tunedTo * clusterDevices;
  let devices = arrivals.reduce((sum, pod) => sum + devicesOf(pod.requestClass), 0);
  if (devices === 0) throw new Error('No pod of the file asks for a device');
  while (devices > wanted) {
    const index = Math.floor(random() * arrivals.length);
    devices -= devicesOf(arrivals[index]!.requestClass);
    arrivals.splice(index, 1);
  }
  while (devices < wanted) {
    const pod = pods[Math.floor(random() * pods.length)]!;
    arrivals.push(pod);
    devices += devicesOf(pod.requestClass);
  }
  return arrivals;
}

/** Streams of their own, so that a policy that draws numbers does not change what arrives. */
export const randomFor = (seed: number, purpose: 'arrivals' | 'node order' | 'policy'): Random =>
  seededRandom(seed * 7919 + { arrivals: 1, 'node order': 2, policy: 3 }[purpose]);
