import { adaptive, type AdaptiveFigures } from './adaptive.js';
import { attested, type AttestedFigures } from './attested.js';
import { bisect, type BisectFigures } from './bisect/bisect.js';
import { activationFigures, inference } from './inference.js';
import type { Published } from './policy.js';
import { quorum, type QuorumFigures } from './quorum.js';
import { recheck, type RecheckFigures } from './recheck.js';
import { tolerance, type ToleranceFigures } from './tolerance.js';
import { weighted, type WeightedFigures } from './weighted.js';

/** The figures that hold where a job or the operator of the market says nothing else. */
export const figures = {
  quorum: { quorum: 2 } satisfies QuorumFigures,
  recheck: { samplePpm: 100_000, quorum: 2, quorumOfDispute: 3 } satisfies RecheckFigures,
  adaptive: {
    quorum: 2,
    quorumOfDispute: 3,
    trustedAfter: 50,
    auditFloorPpm: 80_000,
    lookBack: 2_000,
    exitWindow: 100,
    exitAuditPpm: 200_000,
  } satisfies AdaptiveFigures,
  weighted: { trust: 32, weightMax: 16 } satisfies WeightedFigures,
  attested: { samplePpm: 20_000, quorum: 2, quorumOfDispute: 3 } satisfies AttestedFigures,
  bisect: { parties: 2, arity: 8, answerWithinMs: 60_000 } satisfies BisectFigures,
  tolerance: { quorum: 2, absolute: 1e-6, relative: 1e-3 } satisfies ToleranceFigures,
} as const;

/** All policies as they are published: what each needs, and what it decides by. */
export const published: readonly Published[] = [
  quorum(figures.quorum),
  adaptive(figures.adaptive),
  weighted(figures.weighted),
  recheck(figures.recheck),
  bisect(figures.bisect),
  tolerance(figures.tolerance),
  inference(activationFigures['bf16']!, undefined),
  attested(figures.attested),
].map(({ name, version, needs, thresholds }) => ({ name, version, needs, thresholds }));
