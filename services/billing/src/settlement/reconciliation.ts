import type { Difference } from '@astro/messages/billing';

/** What the contract as a whole is called among what differs. */
export const ESCROW = 'escrow';

/** What Escrow holds by the contract itself. */
export type Held = {
  /** At the last final block. */
  readonly nowAtto: bigint;
  /** At the block of the last fact that is known; undefined where no node remembers it. */
  readonly thenAtto: bigint | undefined;
};

/**
 * Where ledger and chain differ at this moment, which may be for a moment only: a fact and its booking are recorded
 * one after the other. The contract has to hold what all known facts say together, at the block of the last of them;
 * what it holds now may be ahead of the facts.
 * @param knownAtto what it holds by all facts
 * @param entries those that differ, with whatever else is known of them
 */
export const differencesIn = (
  knownAtto: bigint,
  { thenAtto = knownAtto, nowAtto }: Held,
  entries: readonly Difference[],
): readonly Difference[] => [
  ...entries.map(({ reference, ledgerAtto, chainAtto }) => ({ reference, ledgerAtto, chainAtto })),
  ...[thenAtto, nowAtto]
    .filter(chainAtto => chainAtto !== knownAtto)
    .map(chainAtto => ({ reference: ESCROW, ledgerAtto: knownAtto, chainAtto })),
];

/** Looks at the differences again and again, and tells those that stay. */
export class Watch {
  readonly #graceMs: number;
  #since = new Map<string, number>();

  /** @param graceMs longer than a fact and its booking ever are apart */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** Those that were seen, as large as now, at each look for as long; the last one of each name. */
  lasting(differences: readonly Difference[], nowMs: number): readonly Difference[] {
    const before = this.#since;
    this.#since = new Map(
      differences.map(difference => [keyOf(difference), before.get(keyOf(difference)) ?? nowMs]),
    );
    const lasting = differences.filter(
      difference => nowMs - this.#since.get(keyOf(difference))! >= this.#graceMs,
    );
    return [...new Map(lasting.map(difference => [difference.reference, difference])).values()];
  }
}

const keyOf = ({ reference, chainAtto, ledgerAtto }: Difference): string =>
  `${reference} ${chainAtto - ledgerAtto}`;
