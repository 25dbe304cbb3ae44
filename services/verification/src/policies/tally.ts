import type { Asked, Culprit, Judgement, Report } from './policy.js';

/** Reports that claim the same, in the order in which they came. */
export type Camp = { readonly members: readonly number[]; readonly voices: number };

export function campsOf(reports: readonly Report[]): readonly Camp[] {
  const members = new Map<string, number[]>();
  for (const [index, { claim }] of reports.entries()) {
    const known = members.get(claim);
    if (known) known.push(index);
    else members.set(claim, [index]);
  }
  return [...members.values()].map(camp => ({ members: camp, voices: voicesOf(reports, camp) }));
}

const voicesOf = (reports: readonly Report[], members: readonly number[]): number =>
  members.length < 2 ? members.length : new Set(members.map(index => reports[index]!.voice)).size;

/**
 * The first camp of so many voices is believed. A majority is not enough and not needed.
 * @param needed voices
 */
export function decideByVoices(reports: readonly Report[], needed: number, terms: Asked): Judgement {
  const camps = campsOf(reports);
  const believed = camps.find(({ voices }) => voices >= needed);
  if (believed) return accepted(reports, believed.members);
  return wanting(reports.length, camps.length > 1 ? 'ClaimsDiffer' : 'TooFewAgree', 1, terms);
}

export type AuditFigures = {
  /** How many voices must claim the same where a result is audited. */
  readonly quorum: number;
  /** The same where claims differ: an accusation needs more than an acceptance. */
  readonly quorumOfDispute: number;
};

/** Where only one was asked, it is believed; where its result was run again, it must be confirmed. */
export function decideAudited(reports: readonly Report[], figures: AuditFigures, terms: Asked): Judgement {
  if (terms.asked <= 1) return decideByVoices(reports, 1, terms);
  const isDisputed = reports.some(({ claim }) => claim !== reports[0]!.claim);
  return decideByVoices(reports, isDisputed ? figures.quorumOfDispute : figures.quorum, terms);
}

export function accepted(reports: readonly Report<unknown>[], agreed: readonly number[]): Judgement {
  const culprits: Culprit[] = [];
  for (const index of reports.keys())
    if (!agreed.includes(index)) culprits.push({ index, why: 'ClaimIsOutvoted' });
  return { status: 'accepted', agreed, culprits };
}

/** When all that were asked for are in and decide nothing: more, as long as there may be more. */
export function wanting(
  reports: number,
  why: 'ClaimsDiffer' | 'TooFewAgree' | 'NodeIsNotAttested',
  replicas: number,
  { asked, maxReplicas }: Asked,
): Judgement {
  if (reports < asked) return { status: 'waiting' };
  const left = Math.min(replicas, maxReplicas - asked);
  return left > 0
    ? { status: 'wanting', replicas: left, why }
    : { status: 'inconclusive', why: 'ReplicasAreExhausted' };
}
