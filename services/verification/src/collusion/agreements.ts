export type CollusionFigures = {
  /** Two operators whose wrong results were the same so often are taken for one. */
  readonly sharedLiesMin: number;
  /** Pairs that are remembered; the oldest are forgotten. */
  readonly pairsMax: number;
};

export const collusionFigures: CollusionFigures = { sharedLiesMin: 1, pairsMax: 100_000 };

/** What one verdict says about who agrees with whom: the operators of each camp, and whether it was believed. */
export type CampOfVerdict = { readonly operators: readonly string[]; readonly isBelieved: boolean };

type Pair = {
  /** Results of both that were the same and believed. */
  readonly agreements: number;
  /** Results of both that were the same and wrong: by chance that does not happen. */
  readonly sharedLies: number;
};

/** Who agreed with whom, in the truth and in lies. */
export type Agreements = { readonly pairs: ReadonlyMap<string, Pair> };

export const noAgreements: Agreements = { pairs: new Map() };

/** The same for both directions. No operator's id has a space. */
const pairOf = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`);

export function noted(
  { pairs }: Agreements,
  camps: readonly CampOfVerdict[],
  { pairsMax }: CollusionFigures,
): Agreements {
  const next = new Map(pairs);
  for (const { operators, isBelieved } of camps)
    for (const [at, one] of operators.entries())
      for (const other of operators.slice(at + 1)) {
        if (one === other) continue;
        const pair = pairOf(one, other);
        const known = next.get(pair) ?? { agreements: 0, sharedLies: 0 };
        // Set anew, it is the youngest.
        next.delete(pair);
        next.set(pair, {
          agreements: known.agreements + Number(isBelieved),
          sharedLies: known.sharedLies + Number(!isBelieved),
        });
      }
  for (const pair of next.keys()) {
    if (next.size <= pairsMax) break;
    next.delete(pair);
  }
  return { pairs: next };
}

/**
 * The groups of operators that lie alike, each named after its first member. Suspicion carries over: who lies with one
 * of a group belongs to it.
 * @returns for each operator of a group its voice; the others speak for themselves
 */
export function voicesOf(
  { pairs }: Agreements,
  { sharedLiesMin }: CollusionFigures,
): ReadonlyMap<string, string> {
  const voices = new Map<string, string>();
  const voiceOf = (operator: string): string => {
    const voice = voices.get(operator) ?? operator;
    return voice === operator ? operator : voiceOf(voice);
  };
  for (const [pair, { sharedLies }] of pairs) {
    if (sharedLies < sharedLiesMin) continue;
    const [one = '', other = ''] = pair.split(' ');
    const [a, b] = [voiceOf(one), voiceOf(other)];
    const [first, second] = a < b ? [a, b] : [b, a];
    voices.set(second, first);
    voices.set(first, first);
  }
  return new Map([...voices.keys()].map(operator => [operator, voiceOf(operator)]));
}

/** What keeps two replicas of a task apart. */
export type Spread = {
  readonly operatorId: string;
  /** The network that it reaches the platform from. */
  readonly network: string;
  /** Who paid its stake in. */
  readonly fundedBy: string;
};

/** Widens the spread of a task: whether a node may get a replica beside those that have one. */
export function isApart(
  node: Spread,
  others: readonly Spread[],
  voices: ReadonlyMap<string, string>,
): boolean {
  const voiceOf = (operator: string) => voices.get(operator) ?? operator;
  return others.every(
    other =>
      voiceOf(other.operatorId) !== voiceOf(node.operatorId) &&
      other.network !== node.network &&
      other.fundedBy !== node.fundedBy,
  );
}
