import type { Recorded } from '@astro/event-sourcing/recorded';
import { recordedFrom } from '@astro/jetstream/delivered';
import { headersIn } from '@astro/jetstream/received';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { eventSubject } from '@astro/jetstream/subjects';
import type { TaskCharged } from '@astro/messages/billing';
import { monthOf } from '@astro/messages/invoice-month';
import { changeOf, feeIn, tenantAccount } from '@astro/messages/ledger-accounts';
import { linkOf } from '../chain.js';
import { leafHash } from './merkle.js';

/** Whose charges, and of which month. */
export type InvoiceOf = { readonly tenantId: string; readonly month: string };

/** What the event of a charge says. */
export type Charge = {
  readonly eventId: string;
  readonly jobId: string;
  readonly taskId: string;
  readonly meteredMs: number;
  /** What the tenant paid, in base units, and the part of it that is the fee. */
  readonly amountAtto: bigint;
  readonly feeAtto: bigint;
};

/** Of every charge of the tenant. */
export const chargedSubject = (tenantId: string): string =>
  eventSubject({ type: 'billing.account', id: tenantId }, 'TaskCharged');

export const isChargeOf = (
  { tenantId, month }: InvoiceOf,
  { subject, recordedAtNanos }: StoredMessage,
): boolean => subject === chargedSubject(tenantId) && monthOf(dateOf(recordedAtNanos)) === month;

/** @throws CodecError, Unprocessable when the bytes are no event */
export function chargeIn(message: StoredMessage): Charge {
  const { id, aggregate, event } = recordedIn(message);
  const { jobId, taskId, meteredMs, postings } = event.data as TaskCharged;
  const amountAtto = -changeOf(tenantAccount(aggregate.id, 'reserved'), postings);
  const feeAtto = feeIn(postings);
  return { eventId: id, jobId, taskId, meteredMs, amountAtto, feeAtto };
}

/** The link that the archive's chain has for the event after a hash of zeros: position, time, subject and bytes. */
export const leafOf = (event: StoredMessage): Buffer => leafHash(linkOf(new Uint8Array(32), event));

const recordedIn = ({ headers, payload, sequence, ...message }: StoredMessage): Recorded =>
  recordedFrom({
    subject: message.subject,
    headers: headersIn(Buffer.from(headers)),
    data: payload,
    position: sequence,
    recordedAt: dateOf(message.recordedAtNanos),
  });

const dateOf = (nanos: bigint) => new Date(Number(nanos / 1_000_000n));
