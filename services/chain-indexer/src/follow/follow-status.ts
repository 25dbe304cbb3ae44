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

/** How the following of the chain goes in this process. */
export class FollowStatus {
  #report: FollowReport = { state: 'standing by' };
  #failures = 0;

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

  standsBy(): void {
    this.#failures = 0;
    this.#report = { state: 'standing by' };
  }

  followed({ head, asOf, final }: Seen): void {
    this.#failures = 0;
    this.#report = {
      state: 'following',
      ...{ headBlock: head, asOfBlock: asOf, finalBlock: final, lagBlocks: Math.max(0, head - asOf) },
    };
  }

  /** What was known of the chain before stays in the report. */
  failed(reason: string): void {
    this.#failures += 1;
    this.#report = { ...this.#report, state: 'failing', reason };
  }

  halted(reason: string): void {
    this.#report = { ...this.#report, state: 'halted', reason };
  }
}
