import { attestationKinds } from '@astro/messages/attestation-kinds';
import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

const baseUnits = z.string().regex(/^[1-9]\d{0,29}$/, 'must be a whole number of base units');
const count = z.coerce.number().int().min(1);

export const nodeAgentConfig = z.object({
  HTTP_HOST: commonConfig.HTTP_HOST,
  HTTP_PORT: commonConfig.HTTP_PORT,
  LOG_LEVEL: commonConfig.LOG_LEVEL,
  GATEWAY_URL: z.url({ protocol: /^https?$/ }).transform(url => url.replace(/\/+$/, '')),
  /** The operator's API key; used to enrol, and never sent to anybody but the gateway. */
  OPERATOR_KEY: z.string().regex(/^astro_[0-9A-Za-z]{49}$/, 'is not an API key'),
  /** Holds the node's key, its leases and its cache. Who has this folder is this node. */
  AGENT_STATE_DIR: z.string().min(1),
  AGENT_NAME: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'),
  REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z0-9]+){1,3}$/, 'must be a country and a place, for example de-fra'),
  PRICE_PER_SECOND_ATTO: baseUnits,
  /** The least for a lease that may be stopped with notice; half of the other when it is not given. */
  INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: baseUnits.optional(),
  /** For each GiB that is fetched or uploaded for a lease; nothing when it is not given. */
  PRICE_PER_GIB_TRANSFERRED_ATTO: baseUnits.optional(),
  /** How this machine can prove what it runs. A claim: jobs that need it come once evidence was accepted. */
  ATTESTATION: z.enum(attestationKinds).optional(),
  /** What is offered of this machine; more than it has is refused at start. */
  OFFER_CPU_MILLIS: count.max(1_024_000),
  OFFER_MEMORY_MIB: count.max(16 * 1024 * 1024),
  HEARTBEAT_MS: count.min(100).max(60_000).default(15_000),
  /** How long the agent waits for word of its desired state before it asks again. */
  DESIRED_STATE_PATIENCE_MS: count.min(100).max(600_000).default(10_000),
  CONTENT_CACHE_MIB: count
    .min(64)
    .max(1024 * 1024)
    .default(1024),
});

export type NodeAgentConfig = z.infer<typeof nodeAgentConfig>;

/** Under this token the module provides the validated configuration. */
export const NODE_AGENT_CONFIG = Symbol('node agent configuration');
