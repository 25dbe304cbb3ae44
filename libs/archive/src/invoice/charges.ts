import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { eventSubject } from '@astro/jetstream/subjects';
import { Unprocessable } from '@astro/jetstream/unprocessable';
import type { AccountEvent, Posting } from '@astro/messages/billing';
import { monthOf } from '@astro/messages/invoice-month';
import {
  changeOf,
  feeIn,
  platformBurned,
  platformValidators,
  tenantAccount,
} from '@astro/messages/ledger-accounts';
import { linkOf } from '../chain.js';
import { dateOf, recordedIn } from '../cited-event.js';
import { leafHash } from './merkle.js';

/** Events that charge a tenant. */
export type ChargeKind = 'TaskCharged' | 'StorageCharged';

const allKinds: readonly ChargeKind[] = ['TaskCharged', 'StorageCharged'];
const taskCharges: readonly ChargeKind[] = ['TaskCharged'];

/** Whose charges, and of which month. */
export type InvoiceOf = {
  readonly tenantId: string;
  readonly month: string;
  /** Of one from before kept content was on invoices. */
  readonly hasNoStorage?: boolean;
};

/** What was charged, in base units. */
export type Amounts = {
  /** What the tenant paid. */
  readonly amountAtto: bigint;
  /** Part of it, and what of that is burned and what validators have. */
  readonly feeAtto: bigint;
  readonly burnedAtto: bigint;
  readonly validatorsAtto: bigint;
};

/** What the event of a charge says. */
export type Charge = Amounts & { readonly eventId: string } & (
    | { readonly kind: 'task'; readonly jobId: string; readonly taskId: string; readonly meteredMs: number }
    | {
        readonly kind: 'storage';
        readonly from: Date;
        readonly through: Date;
        /** In 10^-18 GiB-hours. */
        readonly gibHoursAtto: bigint;
        readonly pricePerGibHourAtto: bigint;
        /** What of the amount is for earlier periods that could not be paid. */
        readonly arrearsAtto: bigint;
      }
  );

/** Of every charge that the tenant's invoice has, one for each kind. */
export const chargedSubjects = ({ tenantId, hasNoStorage }: InvoiceOf): readonly string[] =>
  (hasNoStorage ? taskCharges : allKinds).map(kind =>
    eventSubject({ type: 'billing.account', id: tenantId }, kind),
  );

export const isChargeOf = (of: InvoiceOf, { subject, recordedAtNanos }: StoredMessage): boolean =>
  chargedSubjects(of).includes(subject) && monthOf(dateOf(recordedAtNanos)) === of.month;

/** @throws CodecError, Unprocessable when the bytes are no event of a charge */
export function chargeIn(message: StoredMessage): Charge {
  const { id: eventId, aggregate, event } = recordedIn(message);
  const { type, data } = event as AccountEvent;
  switch (type) {
    case 'TaskCharged': {
      const { jobId, taskId, meteredMs, postings } = data;
      const amounts = amountsIn(postings, tenantAccount(aggregate.id, 'reserved'));
      return { kind: 'task', eventId, jobId, taskId, meteredMs, ...amounts };
    }
    case 'StorageCharged': {
      const { from, through, gibHoursAtto, pricePerGibHourAtto, arrearsAtto, postings } = data;
      const kept = { from, through, gibHoursAtto, pricePerGibHourAtto, arrearsAtto };
      const amounts = amountsIn(postings, tenantAccount(aggregate.id, 'available'));
      return { kind: 'storage', eventId, ...kept, ...amounts };
    }
  }
  throw new Unprocessable(`${eventId} is a ${type}, and no charge`);
}

const amountsIn = (postings: readonly Posting[], payer: string): Amounts => ({
  amountAtto: -changeOf(payer, postings),
  feeAtto: feeIn(postings),
  burnedAtto: changeOf(platformBurned, postings),
  validatorsAtto: changeOf(platformValidators, postings),
});

/** The link that the archive's chain has for the event after a hash of zeros: position, time, subject and bytes. */
export const leafOf = (event: StoredMessage): Buffer => leafHash(linkOf(new Uint8Array(32), event));
