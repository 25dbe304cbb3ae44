import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const chainIndexerConfig = z.object({
  ...commonConfig,
  /** JSON-RPC endpoints of one chain, in the order of preference, separated by commas. */
  RPC_URL: z
    .string()
    .refine(
      text => text.split(',').every(url => /^https?:\/\/[^\s,]+$/.test(url)),
      'must be http://host:port, or several of them separated by commas',
    ),
  /** The file that `npm run chain -- deploy` wrote. */
  CHAIN_ADDRESSES_FILE: z.string(),
  /** How often the head is looked at. */
  CHAIN_POLL_MS: z.coerce.number().int().min(10).max(60_000).default(500),
  /** How deep a final block is, for a chain whose nodes do not tell; without it they are asked. */
  CHAIN_FINALITY_BLOCKS: z.coerce.number().int().min(0).max(100_000).optional(),
  /** After which the record says how far it goes although nothing has happened. */
  CHAIN_HEAD_EVERY_MS: z.coerce.number().int().min(1_000).default(30_000),
  CHAIN_CALLS_PER_SECOND: z.coerce.number().positive().default(500),
});

export type ChainIndexerConfig = z.infer<typeof chainIndexerConfig>;
