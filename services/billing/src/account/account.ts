import { accept, reject } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type { CreditAccount } from '@astro/messages/billing';
import { factIn } from '@astro/messages/fact-id';
import { escrowCustody, tenantAccount } from '@astro/messages/ledger-accounts';
import { charge, chargePeriod, writeOff } from './charges.js';
import type { AccountDecider, AccountDecision } from './decision.js';
import { evolve } from './evolve.js';
import { extend, extendingWhenPaid } from './extensions.js';
import { setLowBalanceAlert } from './low-balance.js';
import { transfer } from './postings.js';
import { mayBeForgotten } from './remembered.js';
import { release, reserve } from './reservations.js';
import { removeBudget, setBudget } from './set-budget.js';
import { emptyAccount, type Account, type Memory } from './state.js';
import { telling } from './telling.js';
import { chargeStorage } from './storage-charges.js';
import { receive, transferFunds } from './transfers.js';
import { followPayment, lockForExit, returnWithdrawal, withdraw } from './withdrawals.js';

/** The token's cap of 10 billion ASTRO: no account can be credited beyond it. */
const MAX_SUPPLY_ATTO = 10n ** 28n;

/**
 * One tenant's money: credited, reserved for jobs before their tasks are placed, charged for verified work, released,
 * given to other tenants and received from them, and paid out on the chain; within budgets, and with alerts.
 * @param chainId of the chain that money lies on: nothing is credited that was not paid in there
 */
export const accountRemembering = (memory: Memory, chainId?: number): AccountDecider =>
  telling(extendingWhenPaid(moneyRemembering(memory, chainId)));

const moneyRemembering = (memory: Memory, chainId: number | undefined): AccountDecider => ({
  get initialState() {
    return emptyAccount();
  },

  decide({ type, data }, account) {
    if (account.tenantId !== undefined && account.tenantId !== data.tenantId) {
      return reject('AccountIsOfAnotherTenant', `tenantId: ${data.tenantId}`);
    }
    switch (type) {
      case 'CreditAccount':
        return credit(data, account, chainId);
      case 'ReserveFunds':
        return reserve(data, account);
      case 'ExtendReservation':
        return extend(data, account);
      case 'ChargeTask':
        return charge(data, account);
      case 'ChargePeriod':
        return chargePeriod(data, account);
      case 'WriteOffCharge':
        return writeOff(data, account);
      case 'ReleaseFunds':
        return release(data, account);
      case 'ChargeStorage':
        return chargeStorage(data, account);
      case 'TransferFunds':
        return transferFunds(data, account);
      case 'ReceiveTransfers':
        return receive(data, account);
      case 'WithdrawFunds':
        return withdraw(data, account);
      case 'ReturnWithdrawal':
        return returnWithdrawal(data, account);
      case 'LockForExit':
        return lockForExit(data, account);
      case 'FollowPayment':
        return followPayment(data, account);
      case 'SetBudget':
        return setBudget(data, account);
      case 'RemoveBudget':
        return removeBudget(data, account);
      case 'SetLowBalanceAlert':
        return setLowBalanceAlert(data, account);
    }
  },

  evolve: (state, event) => evolve(state, event, memory),
  snapshot: structured(5),
});

const outgoing = { withdrawals: 4_096, facts: 4_096 };
/** What an account forgets is refused instead of being done twice; see `remembered.ts`. */
const usual: Memory = { credits: 4_096, transfers: 4_096, settled: 16_384, ...outgoing };
export const account = accountRemembering(usual);
export const accountOn = (chainId: number | undefined) => accountRemembering(usual, chainId);

function credit(
  { tenantId, creditId, amountAtto, causePosition }: CreditAccount,
  account: Account,
  chainId: number | undefined,
): AccountDecision {
  const credited = account.credits.entries.get(creditId)?.value;
  if (credited !== undefined) {
    return credited === amountAtto ? accept() : reject('CreditExists', `amountAtto: was ${credited}`);
  }
  if (chainId !== undefined && factIn(creditId)?.chainId !== String(chainId)) {
    const rule = `creditId: must name a deposit on chain ${chainId}, as <chain>:<transaction>:<log>`;
    return reject('CreditIsNotOnChain', `${rule}; money comes in through Escrow alone`);
  }
  if (mayBeForgotten(account.credits, creditId, causePosition)) {
    return reject('CreditIsTooLate', `causePosition: ${causePosition ?? 'none'} lies before too many others`);
  }
  if (amountAtto <= 0n) return reject('AmountIsNotPositive', `amountAtto: ${amountAtto}`);
  if (account.availableAtto + account.reservedAtto + amountAtto > MAX_SUPPLY_ATTO) {
    return reject('AmountExceedsSupply', `amountAtto: the account would hold more than ${MAX_SUPPLY_ATTO}`);
  }
  const available = tenantAccount(tenantId, 'available');
  const postings = transfer(escrowCustody, [{ to: available, amountAtto }]);
  const cause = causePosition === undefined ? {} : { causePosition };
  return accept({ type: 'AccountCredited', data: { tenantId, creditId, postings, ...cause } });
}
