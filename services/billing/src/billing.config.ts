import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const billingConfig = z.object({
  ...commonConfig,
  /** The platform's part of every charge; the protocol allows 1 to 5 per cent. */
  FEE_BPS: z.coerce.number().int().min(100).max(500).default(250),
  /** The part of the fee that is burned. */
  BURN_BPS: z.coerce.number().int().min(0).max(10_000).default(2_000),
});

export type BillingConfig = z.infer<typeof billingConfig>;
