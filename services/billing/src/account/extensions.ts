import { accept, reject } from '@astro/event-sourcing/decider';
import type { AccountEvent, ExtendReservation } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { limitOfBudgets } from './budgets.js';
import { standingsOf } from './count-budgets.js';
import type { AccountDecider, AccountDecision } from './decision.js';
import { budgetsAfter } from './evolve-budgets.js';
import { asMuchAsThereIs, setAside, smaller } from './reservations.js';
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
  { tenantId, jobId, number, amountAtto, leastAtto, causedAt }: ExtendReservation,
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
  const budget = limitOfBudgets(account.budgets, reservation.scope, causedAt);
  const mostAtto = smaller(availableAtto, budget?.leftAtto);
  const extendedBy = asMuchAsThereIs({ amountAtto, leastAtto }, mostAtto);
  if (extendedBy !== undefined) return accept(extended(tenantId, jobId, number, extendedBy));
  const refusing = availableAtto >= leastAtto && budget ? { reason: 'budget' as const, budget } : {};
  const wanted = { wantedAtto: amountAtto, requiredAtto: leastAtto, availableAtto };
  return accept({ type: 'ExtensionDeclined', data: { tenantId, jobId, number, ...wanted, ...refusing } });
}

/** Money, or room in a budget, that a decision brings goes to who waits for it longest, in the same decision. */
export const extendingWhenPaid = (rules: AccountDecider): AccountDecider => ({
  get initialState() {
    return rules.initialState;
  },
  decide(command, account) {
    const at = 'causedAt' in command.data ? command.data.causedAt : undefined;
    return withExtensions(rules.decide(command, account), account, at);
  },
  evolve: rules.evolve,
  ...(rules.snapshot && { snapshot: rules.snapshot }),
});

function withExtensions(decision: AccountDecision, account: Account, at: Date | undefined): AccountDecision {
  if (!decision.accepted || decision.events.length === 0 || account.waiting.size === 0) return decision;
  const { events } = decision;
  const { tenantId } = events[0]!.data;
  // What this decision does to a job's own reservation comes first.
  const decidedOn = new Set(events.map(({ data }) => ('jobId' in data ? data.jobId : undefined)));
  const extensions: AccountEvent[] = [];
  const budgets = budgetsAfter(events, account);
  let standings = standingsOf(events, account, at);
  let availableAtto = spendableAfter(account, tenantId, events);
  let lookedAt = 0;
  for (const jobId of account.waiting) {
    lookedAt += 1;
    if (availableAtto <= 0n || lookedAt > WAITING_LOOKED_AT_MAX) break;
    if (extensions.length === EXTENSIONS_OF_DECISION_MAX) break;
    if (decidedOn.has(jobId)) continue;
    const { extensions: number, waitsFor, scope } = openReservation(account, jobId);
    const limit = limitOfBudgets(budgets, scope, at, standings);
    const extendedBy = asMuchAsThereIs(waitsFor!, smaller(availableAtto, limit?.leftAtto));
    if (extendedBy === undefined) continue;
    availableAtto -= extendedBy;
    const extension = extended(tenantId, jobId, number, extendedBy);
    standings = standingsOf([extension], account, at, standings);
    extensions.push(extension);
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
