/** What `GET /health/chain` answers. */
export type FollowReport = {
  /** `standing by`: another process follows, or this one has not begun yet. */
  readonly state: 'standing by' | 'following' | 'failing' | 'halted';
  readonly headBlock?: number;
  readonly asOfBlock?: number;
  readonly finalBlock?: number;
  /** How many blocks of the chain are not in the record yet. */
  readonly lagBlocks?: number;
  /** Why it fails, or has halted. */
  readonly reason?: string;
};

type Seen = { readonly head: number; readonly asOf: number; readonly final: number };

/** A failure now and then is what endpoints are like. */
const unhealthyAfterFailures = 5;

/** All that a status is, as one thread tells another. */
export type FollowSnapshot = { readonly report: FollowReport; readonly failures: number };

/** How the following of the chain goes in this process. */
export class FollowStatus {
  #report: FollowReport = { state: 'standing by' };
  #failures = 0;
  readonly #changed: (snapshot: FollowSnapshot) => void;

  /** @param changed is told after each change that did not come by `restore` */
  constructor(changed: (snapshot: FollowSnapshot) => void = () => undefined) {
    this.#changed = changed;
  }

  get report(): FollowReport {
    return this.#report;
  }

  /** Of rounds in a row. */
  get failures(): number {
    return this.#failures;
  }

  get healthy(): boolean {
    return this.problem === undefined;
  }

  /** Why the service is not ready; undefined while all is well. */
  get problem(): string | undefined {
    const { state, reason } = this.#report;
    if (state === 'halted') return `halted until a person has looked: ${reason}`;
    if (this.#failures >= unhealthyAfterFailures) return `${this.#failures} times in a row: ${reason}`;
    return undefined;
  }

  restore({ report, failures }: FollowSnapshot): void {
    this.#report = report;
    this.#failures = failures;
  }

  standsBy(): void {
    this.#change({ state: 'standing by' }, 0);
  }

  followed({ head, asOf, final }: Seen): void {
    const lagBlocks = Math.max(0, head - asOf);
    this.#change({ state: 'following', headBlock: head, asOfBlock: asOf, finalBlock: final, lagBlocks }, 0);
  }

  /** What was known of the chain before stays in the report. */
  failed(reason: string): void {
    this.#change({ ...this.#report, state: 'failing', reason }, this.#failures + 1);
  }

  halted(reason: string): void {
    this.#change({ ...this.#report, state: 'halted', reason }, this.#failures);
  }

  #change(report: FollowReport, failures: number): void {
    this.restore({ report, failures });
    this.#changed({ report, failures });
  }
}
