import type { AccountEvent, FundsReserved, Posting, TaskCharged } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { scopeOf } from './budgets.js';
import { chargeKey } from './charges.js';
import { evolveBudgets, followStandings, type BudgetEvent } from './evolve-budgets.js';
import { evolveExtension, type ExtensionEvent } from './extensions.js';
import { noCharges, withCharge } from './numbered-charges.js';
import { remember } from './remembered.js';
import { evolveWithdrawals, type WithdrawalEvent } from './evolve-withdrawals.js';
import { openReservation, type Account, type Memory, type Reservation } from './state.js';

/** Changes `account` in place: what it costs does not grow with the account's history. */
export function evolve(account: Account, event: AccountEvent, memory: Memory): Account {
  account.tenantId = event.data.tenantId;
  if ('postings' in event.data) addPostings(account, event.data);
  followStandings(account, event);
  evolveWhatItIsFor(account, event, memory);
  return account;
}

function addPostings(
  account: Account,
  { tenantId, postings }: { tenantId: string; postings: readonly Posting[] },
) {
  account.availableAtto += changeOf(tenantAccount(tenantId, 'available'), postings);
  account.reservedAtto += changeOf(tenantAccount(tenantId, 'reserved'), postings);
  account.owedAtto -= changeOf(tenantAccount(tenantId, 'owed'), postings);
}

function evolveWhatItIsFor(account: Account, { type, data }: AccountEvent, memory: Memory): void {
  switch (type) {
    case 'AccountCredited': {
      const value = changeOf(tenantAccount(data.tenantId, 'available'), data.postings);
      const entry = { order: data.causePosition, weight: 1, value };
      return remember(account.credits, data.creditId, entry, memory.credits);
    }
    case 'FundsReserved':
      return open(account, data);
    case 'ReservationExtended':
    case 'ExtensionDeclined':
      return evolveExtension(account, { type, data } as ExtensionEvent);
    case 'ReservationDeclined': {
      const value = { outcome: 'declined', amountAtto: data.requiredAtto } as const;
      const entry = { order: data.causePosition, weight: 1, value };
      return remember(account.settled, data.jobId, entry, memory.settled);
    }
    case 'TaskCharged': {
      const reservation = openReservation(account, data.jobId);
      reservation.leftAtto += changeOf(tenantAccount(data.tenantId, 'reserved'), data.postings);
      return countCharge(reservation, data);
    }
    case 'ChargeRefused':
      return void openReservation(account, data.jobId).refusedCharges.add(chargeKey(data));
    case 'ChargeWrittenOff':
      return countCharge(openReservation(account, data.jobId), data);
    case 'ReservationClosing': {
      const reservation = account.open.get(data.jobId);
      if (reservation) {
        account.waiting.delete(data.jobId);
        reservation.expectedCharges = data.expectedCharges;
        return;
      }
      const value = { outcome: 'ended-before-reserved' } as const;
      const entry = { order: data.causePosition, weight: 1, value };
      return remember(account.settled, data.jobId, entry, memory.settled);
    }
    case 'FundsReleased':
      return close(account, data.jobId, memory);
    case 'FundsTransferred': {
      const { transferId, toTenantId, requestedAt } = data;
      const amountAtto = changeOf(tenantAccount(toTenantId, 'incoming'), data.postings);
      const entry = { order: requestedAt.getTime(), weight: 1, value: { toTenantId, amountAtto } };
      return remember(account.transfers, transferId, entry, memory.transfers);
    }
    case 'TransfersReceived':
      account.receivedThrough = data.throughPosition;
      return;
    case 'BudgetSet':
    case 'BudgetRemoved':
    case 'BudgetThresholdReached':
    case 'LowBalanceAlertSet':
    case 'LowBalanceReached':
      return evolveBudgets(account, { type, data } as BudgetEvent);
    case 'StorageCharged':
      account.storage = { throughMs: data.through.getTime(), dueAtto: 0n };
      return;
    case 'StorageUnpaid':
      account.storage = { throughMs: data.through.getTime(), dueAtto: data.dueAtto };
      return;
    case 'WithdrawalRequested':
    case 'WithdrawalReturned':
    case 'WithdrawalPaid':
    case 'ExitLocked':
    case 'ExitFollowed':
      evolveWithdrawals(account, { type, data } as WithdrawalEvent, memory);
  }
}

function open(account: Account, data: FundsReserved): void {
  const { tenantId, jobId, postings, wantedAtto, causePosition } = data;
  const leftAtto = changeOf(tenantAccount(tenantId, 'reserved'), postings);
  const cause = causePosition === undefined ? {} : { causePosition };
  const charges = { chargedTasks: new Set<string>(), refusedCharges: new Set<string>() };
  const amountAtto = wantedAtto ?? leftAtto;
  account.open.set(jobId, {
    ...{ amountAtto, leftAtto, extensions: 0, scope: scopeOf(data) },
    ...charges,
    ...cause,
  });
}

function close(account: Account, jobId: string, memory: Memory): void {
  const { amountAtto, chargedTasks, periods, causePosition } = openReservation(account, jobId);
  account.open.delete(jobId);
  account.waiting.delete(jobId);
  const value = { outcome: 'released', amountAtto, chargedTasks, ...(periods && { periods }) } as const;
  const entry = { order: causePosition, weight: 1 + chargedTasks.size, value };
  remember(account.settled, jobId, entry, memory.settled);
}

function countCharge(reservation: Reservation, charge: Pick<TaskCharged, 'taskId' | 'chargeNumber'>): void {
  reservation.refusedCharges.delete(chargeKey(charge));
  if (charge.chargeNumber === undefined) reservation.chargedTasks.add(charge.taskId);
  else reservation.periods = withCharge(reservation.periods ?? noCharges, charge.chargeNumber);
}
