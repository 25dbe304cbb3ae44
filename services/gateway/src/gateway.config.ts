import { AGENT_JWT_TTL_MAX_SECONDS } from '@astro/jetstream/credentials';
import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';
import { blockListOf } from './nodes/observed-network.js';

const count = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

export const gatewayConfig = z.object({
  ...commonConfig,
  /** Folder of the content store, the same for all gateways. */
  CONTENT_DIR: z.string().min(1),
  /** Where agents reach the bus, comma-separated. */
  NATS_PUBLIC_URL: z.string().regex(/^(nats|tls|wss?):\/\/[^\s,]+(,(nats|tls|wss?):\/\/[^\s,]+)*$/),
  /** The account that agents connect to, which is not the platform's. */
  AGENT_ACCOUNT_PUBLIC_KEY: z.string().regex(/^A[A-Z2-7]{55}$/),
  /** Seed of the scoped key that signs agents' credentials. */
  AGENT_SIGNING_SEED: z.string().regex(/^SA[A-Z2-7]{56}$/),
  /** How long a node may use what it was given; it renews before. A revocation need not be known for longer. */
  AGENT_CREDENTIAL_TTL_SECONDS: z.coerce.number().int().min(10).max(AGENT_JWT_TTL_MAX_SECONDS).default(3_600),
  /** Addresses of our own proxies, comma-separated, with prefixes: whom they name is who an agent connects from. */
  TRUSTED_PROXIES: z
    .string()
    .max(2_000)
    .default('')
    .transform((text, context) => {
      const ranges = text.split(',').flatMap(range => range.trim() || []);
      try {
        blockListOf(ranges);
      } catch (error) {
        context.addIssue({ code: 'custom', message: String(error instanceof Error ? error.message : error) });
      }
      return ranges;
    }),
  /** The pool that jobs are submitted to. */
  POOL_ID: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('main'),
  /** How long a submission waits for its outcome before it is answered with 202. */
  COMMAND_TIMEOUT_MS: count(2_000),
  /** The chain that wallets are linked on; without it none can be linked. */
  CHAIN_ID: z.coerce.number().int().min(1).optional(),
  RATE_LIMIT_PER_SECOND: count(200),
  RATE_LIMIT_BURST: count(1_000),
  /** Requests to servers that one tenant may have in flight, and the largest body of one. */
  ENDPOINT_REQUESTS_MAX: count(256),
  ENDPOINT_BODY_MIB: count(16),
  EVENT_STREAMS_MAX: count(500),
  EVENT_HEARTBEAT_MS: count(15_000),
  /** What one ASTRO is worth in US dollars, when and by whose word; without all three no quote is compared. */
  ASTRO_USD_RATE: z
    .string()
    .regex(/^(?=.*[1-9])\d{1,9}(\.\d{1,12})?$/, 'must be a positive decimal with at most 12 places')
    .optional(),
  ASTRO_USD_RATE_OBSERVED_ON: z.iso.date().optional(),
  ASTRO_USD_RATE_SOURCE: z.string().min(1).max(300).optional(),
});

export type GatewayConfig = z.infer<typeof gatewayConfig>;

/** Under this token the module provides the validated configuration. */
export const GATEWAY_CONFIG = Symbol('gateway configuration');
