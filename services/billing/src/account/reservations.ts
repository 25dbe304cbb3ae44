import { accept, reject } from '@astro/event-sourcing/decider';
import type { AccountEvent, Posting, ReleaseFunds, ReserveFunds } from '@astro/messages/billing';
import { tenantAccount } from '@astro/messages/ledger-accounts';
import { limitOfBudgets, scopeOf } from './budgets.js';
import type { AccountDecision } from './decision.js';
import { chargesMade, noCharges } from './numbered-charges.js';
import { transfer } from './postings.js';
import { mayBeForgotten } from './remembered.js';
import { spendableAtto, type Account, type Reservation, type WantedFunds } from './state.js';

export function reserve(command: ReserveFunds, account: Account): AccountDecision {
  const { tenantId, jobId, amountAtto, leastAtto = amountAtto, causePosition, causedAt } = command;
  const known = account.open.get(jobId) ?? account.settled.entries.get(jobId)?.value;
  if (known !== undefined) {
    const repeated = !('amountAtto' in known) || known.amountAtto === amountAtto;
    return repeated ? accept() : reject('ReservationExists', `amountAtto: was ${known.amountAtto}`);
  }
  if (amountAtto < 0n) return reject('AmountIsNegative', `amountAtto: ${amountAtto}`);
  if (leastAtto < 0n) return reject('AmountIsNegative', `leastAtto: ${leastAtto}`);
  const cause = causePosition === undefined ? {} : { causePosition };
  const availableAtto = spendableAtto(account);
  const isTooLate = mayBeForgotten(account.settled, jobId, causePosition);
  if (isTooLate || availableAtto < leastAtto) {
    const reason = isTooLate ? { reason: 'too_late' as const } : {};
    const data = { tenantId, jobId, requiredAtto: leastAtto, availableAtto, ...cause, ...reason };
    return accept({ type: 'ReservationDeclined', data });
  }
  const scope = scopeOf(command);
  const limit = limitOfBudgets(account.budgets, scope, causedAt);
  const allowedAtto = asMuchAsThereIs({ amountAtto, leastAtto }, smaller(availableAtto, limit?.leftAtto));
  if (allowedAtto === undefined) {
    const asked = { tenantId, jobId, requiredAtto: leastAtto, availableAtto, ...cause };
    return accept({
      type: 'ReservationDeclined',
      data: { ...asked, reason: 'budget', ...(limit && { budget: limit }) },
    });
  }
  const wanted = allowedAtto === amountAtto ? {} : { wantedAtto: amountAtto };
  const postings = setAside(tenantId, allowedAtto);
  return accept({
    type: 'FundsReserved',
    data: { tenantId, jobId, postings, ...cause, ...wanted, ...scope },
  });
}

/** Undefined when it would not be enough. */
export function asMuchAsThereIs(
  { amountAtto, leastAtto }: WantedFunds,
  availableAtto: bigint,
): bigint | undefined {
  if (availableAtto >= amountAtto) return amountAtto;
  return availableAtto >= leastAtto ? availableAtto : undefined;
}

/** @param limitAtto undefined: none */
export const smaller = (amountAtto: bigint, limitAtto: bigint | undefined): bigint =>
  limitAtto !== undefined && limitAtto < amountAtto ? limitAtto : amountAtto;

export const setAside = (tenantId: string, amountAtto: bigint): readonly Posting[] =>
  transfer(tenantAccount(tenantId, 'available'), [{ to: tenantAccount(tenantId, 'reserved'), amountAtto }]);

/**
 * The end of a job and the last of its charges travel apart and may meet in either order; whichever comes second
 * releases the rest. The end may even overtake the reservation itself, when a job is cancelled at once: it is
 * remembered, so that the reservation which follows does not hold money that nothing would ever release.
 */
export function release(
  { tenantId, jobId, expectedCharges, causePosition }: ReleaseFunds,
  account: Account,
): AccountDecision {
  if (account.settled.entries.has(jobId)) return accept();
  const reservation = account.open.get(jobId);
  const cause = causePosition === undefined ? {} : { causePosition };
  const data = { tenantId, jobId, expectedCharges, ...cause };
  const closing = { type: 'ReservationClosing', data } as const;
  if (!reservation) {
    // A forgotten job was released, or its reservation will be declined as too late.
    if (mayBeForgotten(account.settled, jobId, causePosition)) return accept();
    return expectedCharges === 0 ? accept(closing) : reject('ReservationNotFound', `jobId: ${jobId}`);
  }
  if (reservation.expectedCharges !== undefined) return accept();
  return chargesOf(reservation) < expectedCharges
    ? accept(closing)
    : accept(released(tenantId, jobId, reservation.leftAtto));
}

export const chargesOf = ({ chargedTasks, periods = noCharges }: Reservation): number =>
  chargedTasks.size + chargesMade(periods);

export function released(tenantId: string, jobId: string, amountAtto: bigint): AccountEvent {
  const available = tenantAccount(tenantId, 'available');
  const postings = transfer(tenantAccount(tenantId, 'reserved'), [{ to: available, amountAtto }]);
  return { type: 'FundsReleased', data: { tenantId, jobId, postings } };
}
