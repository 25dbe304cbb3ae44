import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { InvalidConfig, readConfig } from '@astro/runtime/config';
import { z } from 'zod';
import { renewAgeIdentity } from '../encryption/age-identities.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { trustCertificatesOf } from '../gateway/trust.js';
import { openIdentity } from '../identity/identity.js';
import { recoverKey, rotateKey } from '../identity/rotate-key.js';
import { nodeAgentConfig } from '../node-agent.config.js';
import { readJson } from '../state/json-file.js';
import { NotSetUp, settingsOf } from './operator.js';
import type { Places } from './places.js';

const TIMEOUT_MS = 30_000;

const needed = nodeAgentConfig.pick({
  GATEWAY_URL: true,
  OPERATOR_KEY: true,
  AGENT_STATE_DIR: true,
  NATS_CA: true,
});
const enrolled = z.object({ nodeId: z.string() });

export type NewKey = { readonly nodeId: string; readonly publicKey: string };

/** Another key for the node of this machine, by the word of the current one. @throws NotSetUp, GatewayRefusal */
export const rotateOwnKey = (places: Places, env: NodeJS.ProcessEnv): Promise<NewKey> =>
  changeKey(places, env, undefined, change => rotateKey(change));

/**
 * Another key in the place of one that is lost, by the operator's word.
 * @param nodeId of the node, where this machine does not know it any more
 * @throws NotSetUp, GatewayRefusal
 */
export const recoverOwnKey = (
  places: Places,
  env: NodeJS.ProcessEnv,
  nodeId: string | undefined,
): Promise<NewKey> =>
  changeKey(places, env, nodeId, (change, operatorKey) => recoverKey({ ...change, operatorKey }));

type Change = Parameters<typeof rotateKey>[0];

async function changeKey(
  { configFile }: Places,
  env: NodeJS.ProcessEnv,
  asked: string | undefined,
  change: (change: Change, operatorKey: string) => Promise<unknown>,
): Promise<NewKey> {
  const config = await configOf(configFile, env);
  const { GATEWAY_URL, OPERATOR_KEY, AGENT_STATE_DIR: stateDir, NATS_CA } = config;
  const nodeId = asked ?? enrolled.safeParse(await readJson(join(stateDir, 'node.json'))).data?.nodeId;
  if (nodeId === undefined) throw new NotSetUp('nothing here says which node this is: name it by --node');
  if (NATS_CA !== undefined) await trustCertificatesOf(NATS_CA);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const gateway = new GatewayClient(GATEWAY_URL);
  try {
    await change({ stateDir, nodeId, gateway, signal: AbortSignal.timeout(TIMEOUT_MS) }, OPERATOR_KEY);
    // Whoever doubts one key doubts what lay beside it.
    await renewAgeIdentity(stateDir, new Date());
  } finally {
    gateway.close();
  }
  return { nodeId, publicKey: (await openIdentity(stateDir)).publicKey };
}

async function configOf(configFile: string, env: NodeJS.ProcessEnv) {
  const settings = await settingsOf(configFile, env);
  try {
    return readConfig(needed, settings);
  } catch (error) {
    if (error instanceof InvalidConfig) throw new NotSetUp(`${configFile}: ${error.lines.join('; ')}`);
    throw error;
  }
}
