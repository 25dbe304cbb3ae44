import type { Culprit, VerificationPolicy } from './policy.js';
import { decideAudited, wanting, type AuditFigures } from './tally.js';

export type AttestedFigures = AuditFigures & {
  /** Of a million results of attested nodes so many are run again. */
  readonly samplePpm: number;
};

/**
 * Only nodes whose evidence was accepted and counts now are believed; and of those a sample is run again, because
 * evidence says what a node was started with, not that its hardware is sound.
 */
export const attested = (figures: AttestedFigures): VerificationPolicy => ({
  name: 'attested',
  version: 1,
  needs: ['attestation', 'draw'],
  thresholds: figures,
  replicasAtFirst: (_standing, draw) => (draw < figures.samplePpm ? figures.quorum : 1),
  judge(reports, terms) {
    const places = [...reports.keys()].filter(index => reports[index]!.standing.isAttested);
    const missing = reports.length - places.length;
    if (places.length === 0 && missing > 0) return wanting(missing, 'NodeIsNotAttested', 1, terms);
    // Those without evidence were asked for, and count for nothing.
    const counted = { asked: terms.asked - missing, maxReplicas: terms.maxReplicas - missing };
    const judgement = decideAudited(
      places.map(index => reports[index]!),
      figures,
      counted,
    );
    if (judgement.status !== 'accepted') return judgement;
    const unproven: readonly Culprit[] = [...reports.keys()]
      .filter(index => !reports[index]!.standing.isAttested)
      .map(index => ({ index, why: 'NodeIsNotAttested' }));
    const culprits = judgement.culprits.map(({ index, why }) => ({ index: places[index]!, why }));
    return {
      status: 'accepted',
      agreed: judgement.agreed.map(index => places[index]!),
      culprits: [...culprits, ...unproven].sort((a, b) => a.index - b.index),
    };
  },
});
