import type { Culprit, VerificationPolicy } from './policy.js';
import { decideByVoices, wanting } from './tally.js';

export type AttestedFigures = {
  /** Of a million results of attested nodes so many are run again. */
  readonly samplePpm: number;
  /** How many voices must claim the same where a result was run again. */
  readonly quorum: number;
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
    const judgement = decideByVoices(
      places.map(index => reports[index]!),
      counted.asked <= 1 ? 1 : figures.quorum,
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
