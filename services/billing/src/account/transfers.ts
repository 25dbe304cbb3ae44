import { accept, reject } from '@astro/event-sourcing/decider';
import type { ReceiveTransfers, TransferFunds } from '@astro/messages/billing';
import { tenantAccount } from '@astro/messages/ledger-accounts';
import { MAX_UINT256 } from './amounts.js';
import type { AccountDecision } from './decision.js';
import { transfer } from './postings.js';
import { mayBeForgotten } from './remembered.js';
import { spendableAtto, type Account } from './state.js';

/** The one currency of the ledger. */
const CURRENCY = 'ASTRO';

/** Gives money to another tenant. Both postings are in one event; the receiver makes it spendable by receiving it. */
export function transferFunds(command: TransferFunds, account: Account): AccountDecision {
  const { tenantId, transferId, toTenantId, amountAtto, currency, requestedAt } = command;
  const known = account.transfers.entries.get(transferId)?.value;
  if (known !== undefined) {
    if (known.toTenantId === toTenantId && known.amountAtto === amountAtto) return accept();
    return reject('TransferExists', `transferId: was ${known.amountAtto} to ${known.toTenantId}`);
  }
  if (mayBeForgotten(account.transfers, transferId, requestedAt.getTime())) {
    return reject(
      'TransferIsTooLate',
      `requestedAt: ${requestedAt.toISOString()} lies before too many others`,
    );
  }
  if (currency !== CURRENCY) {
    return reject('CurrencyIsUnknown', `currency: ${JSON.stringify(currency)} is not ${CURRENCY}`);
  }
  if (amountAtto <= 0n) return reject('AmountIsNotPositive', `amountAtto: ${amountAtto}`);
  if (amountAtto > MAX_UINT256) return reject('AmountExceedsUint256', `amountAtto: ${amountAtto}`);
  if (toTenantId === tenantId) return reject('ReceiverIsSender', `toTenantId: ${toTenantId}`);
  if (!/^[A-Za-z0-9_-]+$/.test(toTenantId)) {
    return reject('ReceiverIsInvalid', `toTenantId: ${JSON.stringify(toTenantId)} is no tenant's id`);
  }
  const availableAtto = spendableAtto(account);
  if (availableAtto < amountAtto) {
    return reject('FundsAreInsufficient', `amountAtto: ${amountAtto} of ${availableAtto} available`);
  }
  const incoming = tenantAccount(toTenantId, 'incoming');
  const postings = transfer(tenantAccount(tenantId, 'available'), [{ to: incoming, amountAtto }]);
  const data = { tenantId, transferId, toTenantId, postings, requestedAt };
  return accept({ type: 'FundsTransferred', data });
}

/**
 * Takes what was given. Whoever sends it leaves none out, so the last position alone tells what has been received,
 * however the transfers are grouped when they are sent again.
 */
export function receive({ tenantId, transfers }: ReceiveTransfers, account: Account): AccountDecision {
  const isInOrder = transfers.every(
    ({ position }, index) => index === 0 || position > transfers[index - 1]!.position,
  );
  if (!isInOrder) return reject('TransfersAreOutOfOrder', 'transfers: the positions do not ascend');
  const wrong = transfers.find(({ amountAtto }) => amountAtto <= 0n);
  if (wrong) return reject('AmountIsNotPositive', `transfers: ${wrong.transferId} is of ${wrong.amountAtto}`);
  const fresh = transfers.filter(({ position }) => position > account.receivedThrough);
  const last = fresh.at(-1);
  if (!last) return accept();
  const amountAtto = fresh.reduce((sum, transfer) => sum + transfer.amountAtto, 0n);
  const available = tenantAccount(tenantId, 'available');
  const postings = transfer(tenantAccount(tenantId, 'incoming'), [{ to: available, amountAtto }]);
  const data = { tenantId, throughPosition: last.position, transfers: fresh.length, postings };
  return accept({ type: 'TransfersReceived', data });
}
