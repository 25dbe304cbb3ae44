import { commonConfig, readConfig } from '@astro/runtime/config';
import { z } from 'zod';
import type { Infrastructure } from './infrastructure.js';

const externalConfig = z.object({
  NATS_URL: commonConfig.NATS_URL,
  NATS_CREDENTIALS_FILE: commonConfig.NATS_CREDENTIALS_FILE,
  /** A superuser's: databases, roles and schemas are made with it. */
  DATABASE_URL: commonConfig.DATABASE_URL,
  AGENT_ACCOUNT_PUBLIC_KEY: z.string(),
  AGENT_SIGNING_SEED: z.string(),
});

/**
 * Servers that somebody else runs: nothing is started and nothing is stopped.
 * @throws InvalidConfig, with one line for each variable that is missing or wrong
 */
export function useExternal(env: NodeJS.ProcessEnv): Infrastructure {
  const config = readConfig(externalConfig, env);
  return {
    natsUrl: config.NATS_URL,
    credentialsFileOf: () => config.NATS_CREDENTIALS_FILE,
    databaseAdminUrl: config.DATABASE_URL,
    agentAccountPublicKey: config.AGENT_ACCOUNT_PUBLIC_KEY,
    agentSigningSeed: config.AGENT_SIGNING_SEED,
    stop: async () => undefined,
  };
}
