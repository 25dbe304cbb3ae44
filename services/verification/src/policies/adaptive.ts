import { MILLION, type Standing, type Thresholds, type VerificationPolicy } from './policy.js';
import { decideAudited, type AuditFigures } from './tally.js';

export type AdaptiveFigures = AuditFigures & {
  /** Confirmed results in a row before a node may be believed alone. */
  readonly trustedAfter: number;
  /** Of a million results of a trusted node at least so many are audited. */
  readonly auditFloorPpm: number;
  /** Of a node that was refuted, so many of its latest unaudited results are run again. */
  readonly lookBack: number;
  /** Of a node that leaves, so many of its latest unaudited results may be run again. */
  readonly exitWindow: number;
  /** Of a million of those so many are. */
  readonly exitAuditPpm: number;
};

export type Adaptive = VerificationPolicy & {
  /** Of a million results of such a node so many are audited. */
  auditRatePpm(standing: Standing): number;
  /** Whether an unaudited result is run again, `age` results after it came, when its node leaves or is refuted. */
  runsAgain(occasion: 'refuted' | 'left', age: number, draw: number): boolean;
};

/**
 * BOINC's adaptive replication: a node with N >= `trustedAfter` confirmed results in a row is audited with
 * probability 1/N, others always; what was refuted sets N to 0, and only audited results count. Three things differ.
 * The rate has a floor, because with 1/N alone it pays to become trusted, cheat and leave. The draw is made from a
 * seed that the node cannot know. And what a refuted node was believed alone is run again, because every result of
 * hers is on record.
 */
export const adaptive = (figures: AdaptiveFigures): Adaptive => {
  const auditRatePpm = ({ validInRow }: Standing): number =>
    validInRow < figures.trustedAfter
      ? MILLION
      : Math.max(Math.ceil(MILLION / Math.max(1, validInRow)), figures.auditFloorPpm);
  return {
    name: 'adaptive',
    version: 1,
    needs: ['standing', 'draw'],
    thresholds: figures satisfies Thresholds,
    auditRatePpm,
    replicasAtFirst: (standing, draw) => (draw < auditRatePpm(standing) ? figures.quorum : 1),
    judge: (reports, terms) => decideAudited(reports, figures, terms),
    runsAgain: (occasion, age, draw) =>
      occasion === 'refuted'
        ? age < figures.lookBack
        : age < figures.exitWindow && draw < figures.exitAuditPpm,
  };
};
