import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const registryConfig = z.object({
  ...commonConfig,
  /** A node that is silent for this long is offline: several heartbeats, so that one lost does not count. */
  HEARTBEAT_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
  /** Folder with what evidence is held against; without it no evidence is accepted. See the README. */
  ATTESTATION_DIR: z.string().startsWith('/', 'must be an absolute path').optional(),
  /** Whether nodes may serve content at addresses that only a private network or one machine has. */
  CONTENT_PRIVATE_ADDRESSES: z.stringbool().default(false),
  /** With these three, keys of nodes are revoked on the NATS server: in which account, by whose word, and how. */
  AGENT_ACCOUNT_PUBLIC_KEY: z
    .string()
    .regex(/^A[A-Z2-7]{55}$/)
    .optional(),
  OPERATOR_SIGNING_SEED: z
    .string()
    .regex(/^SO[A-Z2-7]{56}$/)
    .optional(),
  /** Path of a .creds file of the system account. */
  NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE: z.string().optional(),
});

export type RegistryConfig = z.infer<typeof registryConfig>;

/** Provides the configuration to controllers. */
export const registryConfigToken = Symbol('registry.config');
