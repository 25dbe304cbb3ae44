import { resolve } from 'node:path';
import { commonConfig, readConfig } from '@astro/runtime/config';
import { z } from 'zod';
import type { AgentAccountKeeper, Chain, Ground, Infrastructure } from './infrastructure.js';

const externalConfig = z.object({
  NATS_URL: commonConfig.NATS_URL,
  /** Where agents reach it; the same when it is not given. */
  NATS_PUBLIC_URL: z.string().optional(),
  NATS_CREDENTIALS_FILE: commonConfig.NATS_CREDENTIALS_FILE,
  /** A superuser's: databases, roles and schemas are made with it. */
  DATABASE_URL: commonConfig.DATABASE_URL,
  AGENT_ACCOUNT_PUBLIC_KEY: z.string(),
  AGENT_SIGNING_SEED: z.string(),
  /** Both, or no key of an agent is revoked on the server before its credentials expire. */
  OPERATOR_SIGNING_SEED: z.string().optional(),
  NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE: z.string().optional(),
});

const externalChain = z.object({
  /** One endpoint of the chain, or several separated by commas. */
  RPC_URL: z.string().min(1),
  /** What `npm run chain -- deploy` wrote for this chain. */
  CHAIN_ADDRESSES_FILE: z.string().min(1),
  /** Holds the key of the escrow's settler; without it billing settles nothing on the chain. */
  SETTLER_KEY_FILE: z.string().min(1).optional(),
});

/**
 * Servers that somebody else runs: nothing is started and nothing is stopped.
 * @throws InvalidConfig, with one line for each variable that is missing or wrong
 */
export function useExternal(
  { needsChain }: Pick<Ground, 'needsChain'>,
  env: NodeJS.ProcessEnv,
): Infrastructure {
  const config = readConfig(needsChain ? externalConfig.extend(externalChain.shape) : externalConfig, env);
  return {
    natsUrl: config.NATS_URL,
    natsPublicUrl: config.NATS_PUBLIC_URL ?? config.NATS_URL,
    credentialsFileOf: () => config.NATS_CREDENTIALS_FILE,
    databaseAdminUrl: config.DATABASE_URL,
    agentAccountPublicKey: config.AGENT_ACCOUNT_PUBLIC_KEY,
    agentSigningSeed: config.AGENT_SIGNING_SEED,
    agentAccountKeeper: keeperIn(config),
    chain: needsChain ? chainIn(readConfig(externalChain, env)) : undefined,
    stop: async () => undefined,
  };
}

function keeperIn(config: z.infer<typeof externalConfig>): AgentAccountKeeper | undefined {
  const { OPERATOR_SIGNING_SEED, NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE } = config;
  if (OPERATOR_SIGNING_SEED === undefined || NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE === undefined)
    return undefined;
  return {
    operatorSigningSeed: OPERATOR_SIGNING_SEED,
    credentialsFile: resolve(NATS_ACCOUNT_KEEPER_CREDENTIALS_FILE),
  };
}

const chainIn = (config: z.infer<typeof externalChain>): Chain => ({
  rpcUrl: config.RPC_URL,
  addressesFile: resolve(config.CHAIN_ADDRESSES_FILE),
  ...(config.SETTLER_KEY_FILE && { settlerKeyFile: resolve(config.SETTLER_KEY_FILE) }),
});
