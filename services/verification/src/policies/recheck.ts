import type { VerificationPolicy } from './policy.js';
import { decideAudited, type AuditFigures } from './tally.js';

export type RecheckFigures = AuditFigures & {
  /** Of a million results so many are run again. */
  readonly samplePpm: number;
};

/** One run in the sample is repeated by somebody else, whoever did it; the others are believed. */
export const recheck = (figures: RecheckFigures): VerificationPolicy => ({
  name: 'recheck',
  version: 1,
  needs: ['draw'],
  thresholds: figures,
  replicasAtFirst: (_standing, draw) => (draw < figures.samplePpm ? figures.quorum : 1),
  judge: (reports, terms) => decideAudited(reports, figures, terms),
});
