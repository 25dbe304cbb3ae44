import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const verificationConfig = z.object({
  ...commonConfig,
  /** The most results of one task that are asked for before its verification fails. */
  MAX_REPLICAS: z.coerce.number().int().min(1).max(25).default(5),
});

export type VerificationConfig = z.infer<typeof verificationConfig>;
