import type { DigestOf } from '../../commit-reveal/commit-reveal.js';
import { isUnder, type Shown } from './checkpoints.js';

export type Party = 'one' | 'other';

/** What a party committed to before the dispute: a run, and the checkpoint that it ended with, shown under the root. */
export type Claimed = { readonly nodeId: string; readonly root: string; readonly end: string };

export type Dispute = {
  readonly steps: number;
  /** In how many parts each round cuts what is left. */
  readonly arity: number;
  readonly parties: Readonly<Record<Party, Claimed>>;
  /** The last checkpoint on which both are known to agree, at first the beginning, which is given. */
  readonly agreedAt: number;
  readonly agreed: string;
  /** The first checkpoint on which they are known to differ, at first the end. */
  readonly differAt: number;
  readonly differing: Readonly<Record<Party, string>>;
  readonly rounds: number;
};

export type DisputeEnd = {
  readonly culprits: readonly {
    readonly party: Party;
    readonly why: 'StepIsWrong' | 'NodeIsSilent' | 'RootIsForged';
  }[];
};

/** What a party answers: for each checkpoint that is asked for, what it is and that it is under the root. */
export type Answer = readonly Shown[] | 'silent';

/** @throws RangeError for what is no dispute */
export function openDispute(
  parties: Dispute['parties'],
  { steps, arity, beginning }: { readonly steps: number; readonly arity: number; readonly beginning: string },
): Dispute {
  if (steps < 1 || arity < 2)
    throw new RangeError('a dispute is over at least one step, in at least two parts');
  const differing = { one: parties.one.end, other: parties.other.end };
  if (differing.one === differing.other) throw new RangeError('who ends alike has no dispute');
  return { steps, arity, parties, agreedAt: 0, agreed: beginning, differAt: steps, differing, rounds: 0 };
}

/** The most rounds that a dispute takes: the logarithm of the steps to the arity, rounded up. */
export function roundsAtMost(steps: number, arity: number): number {
  let rounds = 0;
  for (let reach = 1; reach < steps; reach *= arity) rounds += 1;
  return rounds;
}

/** The checkpoints that both must show next; none when one step is left, which is for the referee. */
export function askedFor({ agreedAt, differAt, arity }: Dispute): readonly number[] {
  const length = differAt - agreedAt;
  const places: number[] = [];
  for (let part = 1; part < arity; part++) {
    const place = agreedAt + Math.ceil((part * length) / arity);
    if (place < differAt && place !== places.at(-1)) places.push(place);
  }
  return places;
}

/** A round of the search: both have shown what was asked for, or one of them has lost by what it did not show. */
export function answer(
  dispute: Dispute,
  answers: Readonly<Record<Party, Answer>>,
  digestOf: DigestOf,
): Dispute | DisputeEnd {
  const asked = askedFor(dispute);
  if (asked.length === 0) throw new RangeError('the step is found: it is for the referee');
  const culprits = (['one', 'other'] as const).flatMap(party => {
    const why = flawOf(dispute, party, asked, answers[party], digestOf);
    return why ? [{ party, why }] : [];
  });
  const { one, other } = answers;
  if (culprits.length > 0 || one === 'silent' || other === 'silent') return { culprits };
  let { agreedAt, agreed } = dispute;
  for (const [place, index] of asked.entries()) {
    const [mine, theirs] = [one[place]!.checkpoint, other[place]!.checkpoint];
    if (mine !== theirs) {
      const differing = { one: mine, other: theirs };
      return { ...dispute, agreedAt, agreed, differAt: index, differing, rounds: dispute.rounds + 1 };
    }
    [agreedAt, agreed] = [index, mine];
  }
  return { ...dispute, agreedAt, agreed, rounds: dispute.rounds + 1 };
}

function flawOf(
  { parties, steps }: Dispute,
  party: Party,
  asked: readonly number[],
  shown: Answer,
  digestOf: DigestOf,
): 'NodeIsSilent' | 'RootIsForged' | undefined {
  if (shown === 'silent' || shown.length !== asked.length) return 'NodeIsSilent';
  const { root } = parties[party];
  const isHers = asked.every((index, place) => isUnder(root, shown[place]!, index, steps + 1, digestOf));
  return isHers ? undefined : 'RootIsForged';
}

/** The one step that the referee runs again, from the state that both agree on; nothing while the search goes on. */
export const disputedStep = (dispute: Dispute): number | undefined =>
  askedFor(dispute).length === 0 ? dispute.differAt : undefined;

/** @param recomputed the checkpoint after the disputed step, as the referee's own run of that step has it */
export function settle(dispute: Dispute, recomputed: string): DisputeEnd {
  const wrong = (['one', 'other'] as const).filter(party => dispute.differing[party] !== recomputed);
  return { culprits: wrong.map(party => ({ party, why: 'StepIsWrong' })) };
}
