import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

const ppm = z.coerce.number().int().min(0).max(1_000_000).default(0);

export const verificationConfig = z.object({
  ...commonConfig,
  /** The most results of one task that are asked for before its verification fails. */
  MAX_REPLICAS: z.coerce.number().int().min(1).max(25).default(5),
  /** JSON-RPC endpoints of the chain, separated by commas. */
  RPC_URL: z.string().min(1).optional(),
  /** The file that `npm run chain -- deploy` wrote. */
  CHAIN_ADDRESSES_FILE: z.string().min(1).optional(),
  /** Holds the private key of whoever accuses and judges on chain. Without it faults are recorded only. */
  ACCUSER_KEY_FILE: z.string().min(1).optional(),
  /** How deep a final block is, for a chain whose nodes do not tell; without it they are asked. */
  CHAIN_FINALITY_BLOCKS: z.coerce.number().int().min(0).max(100_000).optional(),
  /** Blocks on top of a transaction's after which it is not sent again; as many as make it final. */
  CHAIN_CONFIRMATIONS: z.coerce.number().int().min(0).max(100_000).default(64),
  /** Between two looks at what is accused. */
  ACCUSE_POLL_MS: z.coerce.number().int().min(50).max(3_600_000).default(10_000),
  /** Of a million accepted results so many are run again by validators. */
  AUDIT_SAMPLE_PPM: ppm,
  /** Of a million so many become planted tasks. */
  AUDIT_PLANTED_PPM: ppm,
  /** How many validators are drawn for each audit. */
  AUDIT_VALIDATORS: z.coerce
    .number()
    .int()
    .min(3)
    .max(15)
    .refine(count => count % 2 === 1, 'must be odd')
    .default(3),
  AUDIT_COMMIT_WITHIN_MS: z.coerce.number().int().min(1_000).max(86_400_000).default(600_000),
  AUDIT_REVEAL_WITHIN_MS: z.coerce.number().int().min(1_000).max(86_400_000).default(120_000),
  /** How many blocks after the head of now a draw waits for at least, and for how long. */
  AUDIT_DRAW_AFTER_BLOCKS: z.coerce.number().int().min(1).max(1_000).default(2),
  AUDIT_DRAW_WITHIN_MS: z.coerce.number().int().min(1_000).max(604_800_000).default(86_400_000),
  AUDIT_POLL_MS: z.coerce.number().int().min(50).max(60_000).default(500),
  /** From which the secrets of draws are made, so that they outlive the process. 64 hexadecimal digits. */
  AUDIT_SECRET: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
    .optional(),
});

export type VerificationConfig = z.infer<typeof verificationConfig>;
