import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

export const schedulingConfig = z.object({
  ...commonConfig,
  /** The pool that this process places for, and that nodes are admitted to. */
  POOL_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/, 'must be 1 to 40 letters, digits, _ or -')
    .default('main'),
  /** How often the pool is looked at for something to place. */
  TICK_MS: z.coerce.number().int().min(10).max(60_000).default(100),
  /** How long a job may wait for a node that could host it at all. */
  PLACEMENT_PATIENCE_MS: z.coerce.number().int().min(0).max(86_400_000).default(15_000),
  /** Time between two looks at whether the pool should learn where tasks go. */
  LEARNING_INTERVAL_MS: z.coerce.number().int().min(100).max(86_400_000).default(30_000),
  /** After so long the learning is ended, and the pool goes on with the policy that it has. */
  LEARNING_TIME_LIMIT_MS: z.coerce.number().int().min(100).max(3_600_000).default(60_000),
});

export type SchedulingConfig = z.infer<typeof schedulingConfig>;

/** Provides the configuration to controllers and to the placement loop. */
export const schedulingConfigToken = Symbol('scheduling.config');
