import { z } from 'zod';
import { positiveUint256Atto } from '../http/fields.js';

const tenantId = z
  .string()
  .regex(/^tenant_[0-9a-z]{26}$/, "must be a tenant's id")
  .meta({ example: 'tenant_01h455vb4pex5vsknk084sn02q' });

export const transferRequest = z
  .strictObject({
    toTenantId: tenantId,
    amountAtto: positiveUint256Atto,
    currency: z.literal('ASTRO', 'must be ASTRO: nothing else can be transferred').default('ASTRO'),
  })
  .meta({ id: 'TransferRequest' });
export type TransferRequest = z.output<typeof transferRequest>;

export const transfer = z
  .object({
    id: z.string().meta({ example: 'transfer_01h455vb4pex5vsknk084sn02q' }),
    toTenantId: tenantId,
    amountAtto: positiveUint256Atto,
  })
  .meta({ id: 'Transfer' });

export const notKnownYet = {
  description: 'Nobody has answered in time: ask again with the same idempotency key',
  schema: z.object({ id: z.string() }).meta({ id: 'PendingTransfer' }),
};
