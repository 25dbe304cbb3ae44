import { accept, type Decider } from '@astro/event-sourcing/decider';
import { derivedId } from '@astro/event-sourcing/ids';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type { CollusionCommand, CollusionEvent, NoteVerdicts } from '@astro/messages/verification';
import {
  AgreementsWith,
  collusionFigures,
  noAgreements,
  note,
  pairsIn,
  type Agreements,
  type CollusionFigures,
} from './agreements.js';
import { changesOf, suspicionsIn } from './suspicions.js';

/** Pairs that an event tells of. */
const EVIDENCE_MAX = 32;

/** Changed in place. */
export type Collusion = {
  /** Of the last verdict that was noted. */
  position: number;
  readonly agreements: Agreements;
  readonly groups: Map<string, readonly string[]>;
};

/**
 * Who agrees with whom in a pool, and who is taken for one because of it. Its id is the pool's. Nobody loses anything
 * by a suspicion but the chance of confirming the others of the group.
 */
export const collusionBy = (
  figures: CollusionFigures,
): Decider<Collusion, CollusionCommand, CollusionEvent, never> => ({
  get initialState() {
    return { position: 0, agreements: noAgreements(), groups: new Map<string, readonly string[]>() };
  },

  decide: ({ data }, state) => accept(...noteVerdicts(data, state, figures)),

  evolve(state, { type, data }) {
    switch (type) {
      case 'AgreementsNoted':
        state.position = data.position;
        note(state.agreements, data.pairs, data.notedAt, figures);
        return state;
      case 'OperatorsSuspected':
        state.groups.set(data.groupId, data.operators);
        return state;
      case 'SuspicionLifted': {
        const left = state.groups.get(data.groupId)?.filter(one => !data.operators.includes(one)) ?? [];
        if (left.length > 0) state.groups.set(data.groupId, left);
        else state.groups.delete(data.groupId);
        return state;
      }
    }
  },

  snapshot: structured(1),
});

export const collusion = collusionBy(collusionFigures);

/** A run that comes again in another cut is noted from where the last one ended. */
function noteVerdicts(
  { poolId, verdicts }: NoteVerdicts,
  { position: notedTo, agreements, groups }: Collusion,
  figures: CollusionFigures,
): readonly CollusionEvent[] {
  const fresh = verdicts.filter(({ position }) => position > notedTo);
  const pairs = pairsIn(fresh);
  if (pairs.length === 0) return [];
  const { position, at: notedAt } = fresh.at(-1)!;
  const after = new AgreementsWith(agreements, pairs, notedAt, figures);
  const { groups: now, evidence } = suspicionsIn(after, groups, figures);
  const { suspected, lifted } = changesOf(groups, now, operators =>
    derivedId('group', poolId, operators[0]!, position),
  );
  return [
    { type: 'AgreementsNoted', data: { poolId, position, notedAt, pairs } },
    // Who changes from one group to another leaves the first one before.
    ...[...lifted].map(([groupId, operators]): CollusionEvent => ({
      type: 'SuspicionLifted',
      data: { poolId, groupId, operators },
    })),
    ...[...suspected].map(([groupId, operators]): CollusionEvent => ({
      type: 'OperatorsSuspected',
      data: {
        poolId,
        groupId,
        operators,
        evidence: evidence.filter(({ one }) => operators.includes(one)).slice(0, EVIDENCE_MAX),
        suspectedAt: notedAt,
      },
    })),
  ];
}
