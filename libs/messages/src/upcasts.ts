import { escrowCustody } from './ledger-accounts.js';

/** A payload's fields by name. */
export type Plain = Readonly<Record<string, unknown>>;

/** How what was recorded in an older shape is read today. Nothing that was recorded is ever rewritten. */
export type Upcast = {
  /** The message that it is called today, when that was renamed: full protobuf name, same aggregate. */
  readonly becomes?: string;
  /**
   * From the fields that were recorded (those that the older shape lacks are absent, or at the default of their
   * scalar type) to all of today's. Payloads in today's shape pass through it as well, and must stay as they are.
   */
  readonly payload: (recorded: Plain) => Plain;
};

/** By the full protobuf name under which the message was recorded; messages inside others count too. */
export type Upcasts = Readonly<Record<string, Upcast>>;

/**
 * Used by decoding only. A message that was renamed stays in proto/ under its old name, marked
 * `option deprecated = true`: it can still be read, and is no part of what deciders and projections see.
 */
export const upcasts: Upcasts = {
  'astro.billing.v1.AccountCredited': { payload: fromCustody },
};

/** Credit came from `platform:funding` until the ledger was tied to what Escrow holds on chain. */
function fromCustody(recorded: Plain): Plain {
  const postings = recorded['postings'] as readonly Plain[];
  const today = postings.map(posting =>
    posting['account'] === 'platform:funding' ? { ...posting, account: escrowCustody } : posting,
  );
  return { ...recorded, postings: today };
}
