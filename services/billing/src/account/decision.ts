import type { Decision } from '@astro/event-sourcing/decider';
import type { AccountEvent } from '@astro/messages/billing';

export type AccountRejection =
  | 'AccountIsOfAnotherTenant'
  | 'AmountIsNotPositive'
  | 'AmountExceedsSupply'
  | 'AmountExceedsUint256'
  | 'CreditExists'
  | 'CreditIsTooLate'
  | 'AmountIsNegative'
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
  | 'StorageChargeIsInvalid';

export type AccountDecision = Decision<AccountEvent, AccountRejection>;
