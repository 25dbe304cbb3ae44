import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const registryConfig = z.object({
  ...commonConfig,
  /** A node that is silent for this long is offline: several heartbeats, so that one lost does not count. */
  HEARTBEAT_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
  /** Folder with what evidence is held against; without it no evidence is accepted. See the README. */
  ATTESTATION_DIR: z.string().startsWith('/', 'must be an absolute path').optional(),
});

export type RegistryConfig = z.infer<typeof registryConfig>;

/** Provides the configuration to controllers. */
export const registryConfigToken = Symbol('registry.config');
