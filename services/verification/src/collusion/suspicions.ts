import type { Suspicion } from '@astro/messages/verification';
import { pairsOf, type AgreementsWith, type CollusionFigures, type Pair } from './agreements.js';

/** Operators by group, sorted. */
export type Groups = ReadonlyMap<string, readonly string[]>;

export type Suspicions = {
  /** Sets of operators that are taken for one, in the order of their first. */
  readonly groups: readonly (readonly string[])[];
  readonly evidence: readonly Suspicion[];
};

/**
 * Who is taken for one now: those of a group between whom enough is left, and those between whom enough has come
 * up. Suspicion carries over: who lies with one of a group belongs to it.
 */
export function suspicionsIn(after: AgreementsWith, known: Groups, figures: CollusionFigures): Suspicions {
  const kept = [...known.values()].flatMap(operators =>
    [...pairsOf(operators)].filter(
      ({ one, other }) =>
        suspicionOf(after, after.between(one, other), figures, figures.keptShare) !== undefined,
    ),
  );
  const evidence = after.pairs.flatMap(
    ({ one, other }) => suspicionOf(after, after.between(one, other), figures) ?? [],
  );
  return { groups: joined([...kept, ...evidence], figures.groupMax), evidence };
}

/** @param share of what raises a suspicion that is enough to keep one */
function suspicionOf(
  after: AgreementsWith,
  pair: Pair,
  figures: CollusionFigures,
  share = 1,
): Suspicion | undefined {
  if (pair.sharedLies >= figures.sharedLiesMin * share) return { ...pair, agreedByChance: 0 };
  const { agreed } = pair;
  if (agreed < figures.agreedMin * share) return undefined;
  const agreedByChance = after.byChance(pair.one, pair.other);
  if (agreed < figures.timesChanceMin * agreedByChance * share) return undefined;
  const isFar = agreed - agreedByChance >= figures.deviationsMin * Math.sqrt(agreedByChance);
  return isFar || share < 1 ? { ...pair, agreedByChance } : undefined;
}

/** Sets of what hangs together. Of one that is too large the first stay in it. */
function joined(
  pairs: readonly Pick<Pair, 'one' | 'other'>[],
  groupMax: number,
): readonly (readonly string[])[] {
  const firstOf = new Map<string, string>();
  const find = (operator: string): string => {
    let first = operator;
    for (let next = firstOf.get(first); next !== undefined && next !== first; next = firstOf.get(first))
      first = next;
    return first;
  };
  for (const { one, other } of pairs) {
    const [first, second] = [find(one), find(other)].sort() as [string, string];
    firstOf.set(second, first);
    firstOf.set(first, first);
  }
  const groups = Map.groupBy([...firstOf.keys()].sort(), find);
  return [...groups.values()].map(operators => operators.slice(0, groupMax));
}

export type GroupChanges = {
  /** With all that belong to it now. */
  readonly suspected: Groups;
  /** With those that do not belong to it any more. */
  readonly lifted: Groups;
};

/**
 * What has changed. A group keeps its name as long as anybody of it stays; of several that have become one, the name
 * of the one that comes first is kept.
 */
export function changesOf(
  known: Groups,
  now: Suspicions['groups'],
  nameOf: (operators: readonly string[]) => string,
): GroupChanges {
  const names = new Map<string, readonly string[]>();
  for (const operators of now) {
    const before = [...known].filter(([, members]) => members.some(member => operators.includes(member)));
    const kept = before.map(([name]) => name).find(name => !names.has(name));
    names.set(kept ?? nameOf(operators), operators);
  }
  const suspected = new Map(
    [...names].filter(([name, operators]) => operators.some(one => !known.get(name)?.includes(one))),
  );
  const lifted = new Map(
    [...known]
      .map(([name, members]) => [name, members.filter(one => !names.get(name)?.includes(one))] as const)
      .filter(([, members]) => members.length > 0),
  );
  return { suspected, lifted };
}
