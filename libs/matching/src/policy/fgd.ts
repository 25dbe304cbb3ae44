import type { PotentialPolicy } from '../engine/policy.js';
import { wholeShare } from '../engine/shape.js';
import type { DemandRate } from './demand-rate.js';
import { fragmentation, typicalDemands } from './fragmentation.js';

/**
 * Fragmentation gradient descent: a request goes where it makes the least of what is idle unusable.
 *
 * Scores are integers from 0 to 100 as in the authors' simulator, and equal ones go to the first node in the engine's
 * order. Both matter: unrounded scores allocate two points less of the published trace.
 *
 * Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
 * Descent", USENIX ATC 2023.
 */
export function fgd(mix: readonly DemandRate[]): PotentialPolicy {
  const unusable = fragmentation(typicalDemands(mix));
  return {
    kind: 'potential',
    name: 'fgd',
    potential: state => -unusable(state),
    score: gain => Math.floor(100 / (1 + Math.exp(-gain / wholeShare))),
  };
}
