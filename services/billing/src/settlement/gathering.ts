import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent } from '@astro/messages/billing';
import { isSameFee, termsIn, type FeeTerms } from '../account/fee.js';
import { MAX_PAYOUTS, MAX_TENANTS } from './batch.js';
import { Shares, sharesOf } from './share.js';

/** The charges after a position, one after the other, as many as a batch can hold. */
export class Gathering {
  readonly #shares = new Shares();
  #terms: FeeTerms | undefined;
  #charges = 0;
  #to: number;
  #firstAt: Date | undefined;
  #isFull = false;

  /** @param from position up to which everything has been sealed */
  constructor(readonly from: number) {
    this.#to = from;
  }

  /** Takes the next event of the ledger in. @returns false when it belongs into the next batch */
  take({ event, position, recordedAt }: Recorded<AccountEvent>): boolean {
    if (this.#isFull) return false;
    if (event.type !== 'TaskCharged' && event.type !== 'StorageCharged') return true;
    if (position <= this.#to) return true;
    const terms = termsIn(event.data);
    const shares = sharesOf(event.data);
    // What ran on booked capacity was paid with that: a batch of nothing would be none.
    if (shares.length === 0) return true;
    const { tenants, operators, size } = this.#shares.with(shares);
    const isOfAnotherFee = this.#terms !== undefined && !isSameFee(this.#terms, terms);
    if (isOfAnotherFee || tenants > MAX_TENANTS || operators > MAX_PAYOUTS || size > MAX_PAYOUTS) {
      this.#isFull = true;
      return false;
    }
    for (const share of shares) this.#shares.add(share);
    this.#terms = terms;
    this.#charges += 1;
    this.#to = position;
    this.#firstAt ??= recordedAt;
    return true;
  }

  /** Whether it has to be sealed now: it is full, or large, or its first charge has waited long enough. */
  isDue({ chargesMax, everyMs, nowMs }: { chargesMax: number; everyMs: number; nowMs: number }): boolean {
    if (this.#firstAt === undefined) return false;
    return this.#isFull || this.#charges >= chargesMax || nowMs - this.#firstAt.getTime() >= everyMs;
  }

  get to(): number {
    return this.#to;
  }

  get shares() {
    return this.#shares.all;
  }

  /** Undefined while it is empty. */
  get terms(): FeeTerms | undefined {
    return this.#terms;
  }
}
