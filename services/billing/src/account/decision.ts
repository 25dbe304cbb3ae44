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
  | 'TooManyWithdrawals';

export type AccountDecision = Decision<AccountEvent, AccountRejection>;
