import type { Decider, Decision } from '@astro/event-sourcing/decider';
import type { AccountCommand, AccountEvent } from '@astro/messages/billing';
import type { Account } from './state.js';

export type AccountRejection =
  | 'AccountIsOfAnotherTenant'
  | 'AmountIsNotPositive'
  | 'AmountExceedsSupply'
  | 'AmountExceedsUint256'
  | 'CreditExists'
  | 'CreditIsNotOnChain'
  | 'CreditIsTooLate'
  | 'AmountIsNegative'
  | 'AmountIsBelowLeast'
  | 'ReservationExists'
  | 'ReservationNotFound'
  | 'ReservationIsReleased'
  | 'ChargeNotFound'
  | 'CurrencyIsUnknown'
  | 'ReceiverIsInvalid'
  | 'ReceiverIsSender'
  | 'FundsAreInsufficient'
  | 'TransferExists'
  | 'TransferIsTooLate'
  | 'TransfersAreOutOfOrder'
  | 'WithdrawalExists'
  | 'WithdrawalIsInvalid'
  | 'WithdrawalIsTooLate'
  | 'TooManyWithdrawals'
  | 'BudgetIsInvalid'
  | 'BudgetIsFixed'
  | 'BudgetExists'
  | 'BudgetNotFound'
  | 'TooManyBudgets'
  | 'StorageChargeIsInvalid';

export type AccountDecider = Decider<Account, AccountCommand, AccountEvent, AccountRejection>;
export type AccountDecision = Decision<AccountEvent, AccountRejection>;
