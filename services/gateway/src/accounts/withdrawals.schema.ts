import { z } from 'zod';
import { positiveUint256Atto } from '../http/fields.js';
import { address } from '../wallets/wallets.schema.js';

export const withdrawalRequest = z
  .strictObject({
    amountAtto: positiveUint256Atto,
    to: address.meta({ description: 'The wallet that is linked to your account' }),
  })
  .meta({ id: 'WithdrawalRequest' });
export type WithdrawalRequest = z.output<typeof withdrawalRequest>;

export const withdrawal = z
  .object({
    id: z.string().meta({ example: 'repay_01h455vb4pex5vsknk084sn02q' }),
    to: address,
    amountAtto: positiveUint256Atto,
  })
  .meta({ id: 'Withdrawal' });

export const notKnownYet = {
  description: 'Nobody has answered in time: ask again with the same idempotency key',
  schema: z.object({ id: z.string() }).meta({ id: 'PendingWithdrawal' }),
};
