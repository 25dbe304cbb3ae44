import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import type { AccountCommand, AccountEvent, ExtendReservation } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import type { AccountDecision, AccountRejection } from './decision.js';
import { asMuchAsThereIs, setAside } from './reservations.js';
import { openReservation, spendableAtto, type Account } from './state.js';

/** Events of one decision, which are one batch. */
const EXTENSIONS_OF_DECISION_MAX = 64;
/** Jobs that one decision looks at: of more that wait, the later ones wait for the earlier. */
const WAITING_LOOKED_AT_MAX = 1_000;

/**
 * Sets more aside for a job that runs. Extensions are numbered and asked for one after the other, so that the last
 * number tells what was decided before. One that is declined waits for money, which comes to it by `extendingWhenPaid`.
 */
export function extend(
  { tenantId, jobId, number, amountAtto, leastAtto }: ExtendReservation,
  account: Account,
): AccountDecision {
  const reservation = account.open.get(jobId);
  if (!reservation) {
    // The end of the job was faster: nothing more is done for it.
    if (account.settled.entries.has(jobId)) return accept();
    return reject('ReservationNotFound', `jobId: ${jobId}`);
  }
  if (reservation.expectedCharges !== undefined || number <= reservation.extensions) return accept();
  if (leastAtto <= 0n) return reject('AmountIsNotPositive', `leastAtto: ${leastAtto}`);
  if (amountAtto < leastAtto)
    return reject('AmountIsBelowLeast', `amountAtto: ${amountAtto} of ${leastAtto}`);
  const availableAtto = spendableAtto(account);
  const extendedBy = asMuchAsThereIs({ amountAtto, leastAtto }, availableAtto);
  if (extendedBy !== undefined) return accept(extended(tenantId, jobId, number, extendedBy));
  const data = { tenantId, jobId, number, wantedAtto: amountAtto, requiredAtto: leastAtto, availableAtto };
  return accept({ type: 'ExtensionDeclined', data });
}

export type AccountDecider = Decider<Account, AccountCommand, AccountEvent, AccountRejection>;

/** Money that a decision brings goes to the jobs that wait for it, who waited longest first, in the same decision. */
export const extendingWhenPaid = (rules: AccountDecider): AccountDecider => ({
  get initialState() {
    return rules.initialState;
  },
  decide: (command, account) => withExtensions(rules.decide(command, account), account),
  evolve: rules.evolve,
  ...(rules.snapshot && { snapshot: rules.snapshot }),
});

function withExtensions(decision: AccountDecision, account: Account): AccountDecision {
  if (!decision.accepted || decision.events.length === 0 || account.waiting.size === 0) return decision;
  const { events } = decision;
  const { tenantId } = events[0]!.data;
  // What this decision does to a job's own reservation comes first.
  const decidedOn = new Set(events.map(({ data }) => ('jobId' in data ? data.jobId : undefined)));
  const extensions: AccountEvent[] = [];
  let availableAtto = spendableAfter(account, tenantId, events);
  let lookedAt = 0;
  for (const jobId of account.waiting) {
    lookedAt += 1;
    if (availableAtto <= 0n || lookedAt > WAITING_LOOKED_AT_MAX) break;
    if (extensions.length === EXTENSIONS_OF_DECISION_MAX) break;
    if (decidedOn.has(jobId)) continue;
    const { extensions: number, waitsFor } = openReservation(account, jobId);
    const extendedBy = asMuchAsThereIs(waitsFor!, availableAtto);
    if (extendedBy === undefined) continue;
    availableAtto -= extendedBy;
    extensions.push(extended(tenantId, jobId, number, extendedBy));
  }
  return extensions.length === 0 ? decision : accept(...events, ...extensions);
}

function spendableAfter(account: Account, tenantId: string, events: readonly AccountEvent[]): bigint {
  let { availableAtto, owedAtto } = account;
  for (const { data } of events) {
    if (!('postings' in data)) continue;
    availableAtto += changeOf(tenantAccount(tenantId, 'available'), data.postings);
    owedAtto -= changeOf(tenantAccount(tenantId, 'owed'), data.postings);
  }
  return spendableAtto({ availableAtto, owedAtto });
}

const extended = (tenantId: string, jobId: string, number: number, amountAtto: bigint): AccountEvent => ({
  type: 'ReservationExtended',
  data: { tenantId, jobId, number, postings: setAside(tenantId, amountAtto) },
});

export type ExtensionEvent = Extract<AccountEvent, { type: 'ReservationExtended' | 'ExtensionDeclined' }>;

/** Changes `account` in place; its balances are those of the postings already. */
export function evolveExtension(account: Account, { type, data }: ExtensionEvent): void {
  const { tenantId, jobId, number } = data;
  const reservation = openReservation(account, jobId);
  reservation.extensions = number;
  account.waiting.delete(jobId);
  delete reservation.waitsFor;
  if (type === 'ReservationExtended') {
    reservation.leftAtto += changeOf(tenantAccount(tenantId, 'reserved'), data.postings);
    return;
  }
  reservation.waitsFor = { amountAtto: data.wantedAtto, leastAtto: data.requiredAtto };
  account.waiting.add(jobId);
}
