import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

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
});

export type VerificationConfig = z.infer<typeof verificationConfig>;
