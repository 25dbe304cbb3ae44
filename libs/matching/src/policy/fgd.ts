import { fragmentation, typicalPods } from './fragmentation.js';
import type { AllocationPolicy } from './potential.js';
import type { ClassCount, NodeShape } from './workload.js';

/**
 * Fragmentation gradient descent: a request goes where it makes the least of what is idle unusable.
 *
 * Scores are integers from 0 to 100 as in the authors' simulator, and equal ones go to the lowest node of a fixed
 * random order. Both matter: unrounded scores allocate two points less of the published trace.
 *
 * Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
 * Descent", USENIX ATC 2023.
 */
export function fgd(shapes: readonly NodeShape[], counts: readonly ClassCount[]): AllocationPolicy {
  return {
    name: 'fgd',
    keepsDeviceOrder: true,
    deviceChoice: 'best score, first device',
    value: fragmentation(shapes, typicalPods(counts)),
    score: (before, after) => Math.floor(100 / (1 + Math.exp((after - before) / 1000))),
  };
}
