import type { Camp, PairAgreements } from '@astro/messages/verification';

export type CollusionFigures = {
  /** Two operators whose refuted results were the same so often are taken for one. */
  readonly sharedLiesMin: number;
  /** So are two that were believed together so often at least, */
  readonly agreedMin: number;
  /** so many times as often as by chance, */
  readonly timesChanceMin: number;
  /** and so many deviations of chance more often. */
  readonly deviationsMin: number;
  /** Chance is told from operators that both of them meet; with fewer nothing is told. */
  readonly commonPartnersMin: number;
  /** The same, for what is looked at. */
  readonly commonPartnersMax: number;
  /** A suspicion is lifted when what founded it is below this part of what raises one. */
  readonly keptShare: number;
  /** After so long every count is halved. */
  readonly halvedEveryMs: number;
  /** Pairs that are remembered; those that met longest ago are forgotten. */
  readonly pairsMax: number;
  /** Operators of one group. */
  readonly groupMax: number;
};

export const collusionFigures: CollusionFigures = {
  sharedLiesMin: 1,
  agreedMin: 30,
  timesChanceMin: 3,
  deviationsMin: 6,
  commonPartnersMin: 5,
  commonPartnersMax: 32,
  keptShare: 0.25,
  halvedEveryMs: 30 * 86_400_000,
  pairsMax: 100_000,
  groupMax: 256,
};

const TASKS_KEPT = 8;
/** Below it a count that was halved is nothing. */
const COUNTED_MIN = 0.125;

/** What two operators have agreed in. */
export type Pair = {
  readonly one: string;
  readonly other: string;
  /** Results of both that were the same and believed. */
  readonly agreed: number;
  /** Results of both that were the same and wrong: by chance that does not happen. */
  readonly sharedLies: number;
  /** The last tasks of those. */
  readonly taskIds: readonly string[];
};

/** Who agreed with whom, in the truth and in lies. Changed in place. */
export type Agreements = {
  /** Since the last one every count was halved. */
  period: number;
  /** Those that met longest ago come first. */
  readonly pairs: Map<string, Pair>;
  readonly partners: Map<string, Map<string, Pair>>;
};

export const noAgreements = (): Agreements => ({ period: 0, pairs: new Map(), partners: new Map() });

/** The same for both directions. No operator's id has a space. */
const keyOf = ({ one, other }: Pick<Pair, 'one' | 'other'>): string => `${one} ${other}`;

/** How often each pair agreed in these verdicts. */
export function pairsIn(
  verdicts: readonly { readonly taskId: string; readonly camps: readonly Camp[] }[],
): readonly PairAgreements[] {
  const found = new Map<string, PairAgreements>();
  for (const { taskId, camps } of verdicts)
    for (const { operators, isBelieved } of camps)
      for (const pair of pairsOf(operators)) {
        const known = found.get(keyOf(pair)) ?? { ...pair, agreed: 0, sharedLies: 0, taskIds: [] };
        found.set(keyOf(pair), {
          ...known,
          agreed: known.agreed + Number(isBelieved),
          sharedLies: known.sharedLies + Number(!isBelieved),
          taskIds: isBelieved ? known.taskIds : [...known.taskIds, taskId].slice(-TASKS_KEPT),
        });
      }
  return [...found.values()];
}

export function* pairsOf(operators: readonly string[]): Generator<Pick<Pair, 'one' | 'other'>> {
  const sorted = [...new Set(operators)].sort();
  for (const [at, one] of sorted.entries()) for (const other of sorted.slice(at + 1)) yield { one, other };
}

/** Agreements as they are once some more are noted; nothing is changed. */
export class AgreementsWith {
  readonly #more = new Map<string, Map<string, PairAgreements>>();
  readonly #share: number;

  constructor(
    private readonly agreements: Agreements,
    readonly pairs: readonly PairAgreements[],
    at: Date,
    private readonly figures: CollusionFigures,
  ) {
    this.#share = shareLeft(agreements, at, figures);
    for (const pair of pairs) {
      partnersIn(this.#more, pair.one).set(pair.other, pair);
      partnersIn(this.#more, pair.other).set(pair.one, pair);
    }
  }

  between(one: string, other: string): Pair {
    const known = this.agreements.partners.get(one)?.get(other);
    return sum({ one, other }, known, this.#more.get(one)?.get(other), this.#share);
  }

  /**
   * How often the two would have agreed if they met by chance: as both meet others, and those each other. So neither
   * who gets much work nor who competes with few others is suspected for it.
   * @returns Infinity where both meet too few of the same to tell
   */
  byChance(one: string, other: string): number {
    const common = this.#commonPartners(one, other);
    const { commonPartnersMin } = this.figures;
    if (common.length < commonPartnersMin) return Infinity;
    let [met, otherMet, each] = [0, 0, 0];
    for (const [at, third] of common.entries()) {
      met += this.between(one, third).agreed;
      otherMet += this.between(other, third).agreed;
      for (const fourth of common.slice(at + 1)) each += this.between(third, fourth).agreed;
    }
    return each === 0 ? Infinity : (met * otherMet) / (2 * each);
  }

  #commonPartners(one: string, other: string): readonly string[] {
    const common: string[] = [];
    const others = new Set(this.#partnersOf(other));
    for (const partner of this.#partnersOf(one)) {
      if (common.length === this.figures.commonPartnersMax) break;
      if (others.has(partner) && this.between(one, partner).agreed > 0) common.push(partner);
    }
    return common;
  }

  #partnersOf(operator: string): Iterable<string> {
    const known = this.agreements.partners.get(operator)?.keys() ?? [];
    return new Set([...known, ...(this.#more.get(operator)?.keys() ?? [])]);
  }
}

/** Changes the agreements in place. */
export function note(
  agreements: Agreements,
  pairs: readonly PairAgreements[],
  at: Date,
  figures: CollusionFigures,
): void {
  const share = shareLeft(agreements, at, figures);
  if (share < 1)
    for (const pair of [...agreements.pairs.values()]) {
      const left = sum(pair, pair, undefined, share);
      if (left.agreed < COUNTED_MIN && left.sharedLies < COUNTED_MIN) forget(agreements, pair);
      else keep(agreements, left);
    }
  agreements.period = Math.max(agreements.period, periodOf(at, figures));
  for (const pair of pairs) {
    const known = agreements.pairs.get(keyOf(pair));
    // Set anew, it is the youngest.
    agreements.pairs.delete(keyOf(pair));
    keep(agreements, sum(pair, known, pair, 1));
  }
  for (const pair of agreements.pairs.values()) {
    if (agreements.pairs.size <= figures.pairsMax) break;
    forget(agreements, pair);
  }
}

const periodOf = (at: Date, { halvedEveryMs }: CollusionFigures): number =>
  Math.floor(at.getTime() / halvedEveryMs);

/** What is left by then of what was counted before. */
const shareLeft = ({ period }: Agreements, at: Date, figures: CollusionFigures): number =>
  period === 0 ? 1 : 0.5 ** Math.max(0, periodOf(at, figures) - period);

const sum = (
  { one, other }: Pick<Pair, 'one' | 'other'>,
  known: Pair | undefined,
  more: PairAgreements | undefined,
  share: number,
): Pair => ({
  one,
  other,
  agreed: (known?.agreed ?? 0) * share + (more?.agreed ?? 0),
  sharedLies: (known?.sharedLies ?? 0) * share + (more?.sharedLies ?? 0),
  taskIds: [...(known?.taskIds ?? []), ...(more?.taskIds ?? [])].slice(-TASKS_KEPT),
});

function keep({ pairs, partners }: Agreements, pair: Pair): void {
  pairs.set(keyOf(pair), pair);
  partnersIn(partners, pair.one).set(pair.other, pair);
  partnersIn(partners, pair.other).set(pair.one, pair);
}

function forget({ pairs, partners }: Agreements, pair: Pair): void {
  pairs.delete(keyOf(pair));
  for (const [operator, partner] of [
    [pair.one, pair.other],
    [pair.other, pair.one],
  ] as const) {
    const others = partners.get(operator);
    others?.delete(partner);
    if (others?.size === 0) partners.delete(operator);
  }
}

function partnersIn<Of>(partners: Map<string, Map<string, Of>>, operator: string): Map<string, Of> {
  const known = partners.get(operator);
  if (known) return known;
  const none = new Map<string, Of>();
  partners.set(operator, none);
  return none;
}
