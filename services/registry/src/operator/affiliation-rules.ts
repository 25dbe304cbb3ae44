import type { Affiliation, AffiliationKind } from '@astro/messages/registry';

/** What an operator is known to have in common with others, by kind and key, oldest sight first. */
export type Affiliations = ReadonlyMap<string, SeenAffiliation>;
export type SeenAffiliation = { readonly affiliation: Affiliation; readonly seenAt: Date };

type Known = Exclude<AffiliationKind, 'unspecified'>;

const HOUR_MS = 3_600_000;

export const affiliationLimits = {
  /** Of each kind an operator has so many at most; of more, the one that was seen longest ago goes. */
  kept: { network: 32, funding: 8, collusion: 4 } satisfies Record<Known, number>,
  /** What is seen again is recorded again no sooner: agents renew their credentials every hour. */
  recordedAgainAfterMs: 12 * HOUR_MS,
  /** A network from which no agent came for so long is none of the operator's any more. */
  networkForgottenAfterMs: 72 * HOUR_MS,
  keyLength: 100,
} as const;

export const nameOf = ({ kind, key }: Affiliation): string => `${kind} ${key}`;

/** @returns what is wrong with it, by field */
export function affiliationProblem({ kind, key }: Affiliation): string | undefined {
  if (kind === 'unspecified') return 'affiliation.kind: must be specified';
  const { keyLength } = affiliationLimits;
  if (key.length < 1 || key.length > keyLength)
    return `affiliation.key: has ${key.length} characters, which is not from 1 to ${keyLength}`;
  return undefined;
}

/** Whether it is known, and was seen so lately that another sight of it says nothing new. */
export function isFresh(known: Affiliations, affiliation: Affiliation, at: Date): boolean {
  const seenAt = known.get(nameOf(affiliation))?.seenAt;
  if (!seenAt) return false;
  const lasts = affiliation.kind === 'network' ? affiliationLimits.recordedAgainAfterMs : Infinity;
  return at.getTime() - seenAt.getTime() < lasts;
}

/** What ends as this one is seen: networks that were left, and the oldest of more than there may be. */
export function endedBy(known: Affiliations, affiliation: Affiliation, at: Date): readonly Affiliation[] {
  const { kind } = affiliation;
  if (kind === 'unspecified') return [];
  const others = [...known.values()].filter(
    ({ affiliation: other }) => other.kind === kind && other.key !== affiliation.key,
  );
  const excess = others.length + 1 - affiliationLimits.kept[kind];
  const isLeft = ({ seenAt }: SeenAffiliation) =>
    kind === 'network' && at.getTime() - seenAt.getTime() >= affiliationLimits.networkForgottenAfterMs;
  return others.filter((seen, age) => age < excess || isLeft(seen)).map(({ affiliation: other }) => other);
}

export function seen(known: Affiliations, affiliation: Affiliation, seenAt: Date): Affiliations {
  const others = [...known].filter(([name]) => name !== nameOf(affiliation));
  return new Map([...others, [nameOf(affiliation), { affiliation, seenAt }]]);
}

export const without = (known: Affiliations, affiliation: Affiliation): Affiliations =>
  new Map([...known].filter(([name]) => name !== nameOf(affiliation)));
