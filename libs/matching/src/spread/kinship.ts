/** What two operators can have in common, what matters least first. */
export const ties = ['network', 'funding', 'collusion'] as const;
export type Tie = (typeof ties)[number];

export const kinshipLimits = {
  /** Operators that are remembered; of more, those that were related longest ago are forgotten. */
  operators: 100_000,
  /** What one operator has in common with others. */
  keysOfOperator: 64,
} as const;

export type SpreadRule = {
  /** For so long a replica waits for an operator that nothing relates to another one of its task. */
  readonly waitMs: number;
};

export const spreadRule: SpreadRule = { waitMs: 120_000 };

/**
 * What keeps two replicas of one task apart after a wait: at first everything, then no network any more, and after as
 * long again no wallet either. Who was found to lie alike never has a task twice.
 */
export function tiesKept(waitedMs: number, { waitMs }: SpreadRule = spreadRule): readonly Tie[] {
  if (waitedMs < waitMs) return ties;
  return waitedMs < 2 * waitMs ? ['funding', 'collusion'] : ['collusion'];
}

/** After which waits less keeps replicas apart than before. */
export const relaxations = ({ waitMs }: SpreadRule = spreadRule): readonly number[] => [waitMs, 2 * waitMs];

/** By operator what it shares, `<tie> <key>` each, with its tie; in the order in which they came. */
export type KinshipRecord = ReadonlyMap<string, ReadonlyMap<string, Tie>>;

/** So that a wallet and a network are never the same. */
const sharedBy = (tie: Tie, key: string): string => `${tie} ${key}`;

const nobody: ReadonlySet<string> = new Set();

/** Which operators are related: those that share a key. Who shares none is not, whoever both are related to. */
export class Kinship {
  readonly #keysOf = new Map<string, Map<string, Tie>>();
  readonly #sharers = new Map<string, Set<string>>();

  static from(record: KinshipRecord): Kinship {
    const kinship = new Kinship();
    for (const [operatorId, keys] of record)
      for (const [shared, tie] of keys) kinship.#add(operatorId, tie, shared);
    return kinship;
  }

  record(): KinshipRecord {
    return this.#keysOf;
  }

  /** Whether nobody is known to have anything in common with anybody. */
  get isEmpty(): boolean {
    return this.#keysOf.size === 0;
  }

  relate(operatorId: string, tie: Tie, key: string): void {
    this.#add(operatorId, tie, sharedBy(tie, key));
  }

  unrelate(operatorId: string, tie: Tie, key: string): void {
    this.#drop(operatorId, sharedBy(tie, key));
  }

  has(operatorId: string, tie: Tie, key: string): boolean {
    return this.#keysOf.get(operatorId)?.has(sharedBy(tie, key)) ?? false;
  }

  /** The operators themselves, and all that are related to one of them by one of the ties. */
  withRelatives(operators: ReadonlySet<string>, by: readonly Tie[] = ties): ReadonlySet<string> {
    if (operators.size === 0 || this.isEmpty) return operators;
    const found = new Set(operators);
    for (const operatorId of operators) this.#addRelatives(operatorId, by, found);
    return found;
  }

  /** Puts an operator, and all that are related to it, with others. */
  addWithRelatives(operatorId: string, to: Set<string>, by: readonly Tie[] = ties): void {
    to.add(operatorId);
    this.#addRelatives(operatorId, by, to);
  }

  /** The tie that matters most of those between the two. */
  tieBetween(one: string, other: string): Tie | undefined {
    const [keys, others] = [this.#keysOf.get(one), this.#keysOf.get(other)];
    if (!keys || !others) return undefined;
    const shared = [...keys].filter(([key]) => others.has(key)).map(([, tie]) => tie);
    return ties.findLast(tie => shared.includes(tie));
  }

  /** The group that the operator speaks with; undefined where it speaks for itself. */
  groupOf(operatorId: string): string | undefined {
    for (const [shared, tie] of this.#keysOf.get(operatorId) ?? [])
      if (tie === 'collusion') return shared.slice(sharedBy(tie, '').length);
    return undefined;
  }

  #add(operatorId: string, tie: Tie, shared: string): void {
    const keys = this.#keysOf.get(operatorId) ?? this.#remember(operatorId);
    keys.delete(shared);
    keys.set(shared, tie);
    const sharers = this.#sharers.get(shared);
    if (sharers) sharers.add(operatorId);
    else this.#sharers.set(shared, new Set([operatorId]));
    const [oldest] = keys.keys();
    if (keys.size > kinshipLimits.keysOfOperator) this.#drop(operatorId, oldest!);
  }

  #drop(operatorId: string, shared: string): void {
    const keys = this.#keysOf.get(operatorId);
    if (!keys?.delete(shared)) return;
    if (keys.size === 0) this.#keysOf.delete(operatorId);
    const sharers = this.#sharers.get(shared)!;
    sharers.delete(operatorId);
    if (sharers.size === 0) this.#sharers.delete(shared);
  }

  #addRelatives(operatorId: string, by: readonly Tie[], to: Set<string>): void {
    for (const [key, tie] of this.#keysOf.get(operatorId) ?? []) {
      if (!by.includes(tie)) continue;
      for (const relative of this.#sharers.get(key) ?? nobody) to.add(relative);
    }
  }

  #remember(operatorId: string): Map<string, Tie> {
    const keys = new Map<string, Tie>();
    this.#keysOf.set(operatorId, keys);
    const [oldest] = this.#keysOf.keys();
    if (this.#keysOf.size > kinshipLimits.operators)
      for (const shared of [...this.#keysOf.get(oldest!)!.keys()]) this.#drop(oldest!, shared);
    return keys;
  }
}
