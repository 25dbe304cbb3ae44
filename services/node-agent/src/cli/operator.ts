import { join } from 'node:path';
import { InvalidConfig, readConfig } from '@astro/runtime/config';
import { z } from 'zod';
import { nodeAgentConfig } from '../node-agent.config.js';
import { readJson } from '../state/json-file.js';
import { readConfigFile, under, type Settings } from './config-file.js';
import { OperatorApi } from './operator-api.js';
import type { Places } from './places.js';

/** There is no node here yet, or none that could be spoken of. */
export class NotSetUp extends Error {
  override readonly name = 'NotSetUp';
}

const needed = nodeAgentConfig.pick({ GATEWAY_URL: true, OPERATOR_KEY: true, AGENT_STATE_DIR: true });
const enrolled = z.object({ nodeId: z.string() });

export type Operator = {
  readonly api: OperatorApi;
  readonly nodeId: string;
  /** What file and environment say together. */
  readonly settings: Settings;
};

/** What file and environment say together. @throws NotSetUp */
export async function settingsOf(configFile: string, env: NodeJS.ProcessEnv): Promise<Settings> {
  const file = await readConfigFile(configFile);
  if (file === undefined) throw new NotSetUp(`${configFile} is not there: run \`astro node init\``);
  return under(env, file) as Settings;
}

/** Whoever runs this node, as its configuration says. @throws NotSetUp */
export async function operatorOf({ configFile }: Places, env: NodeJS.ProcessEnv): Promise<Operator> {
  const settings = await settingsOf(configFile, env);
  try {
    const { GATEWAY_URL, OPERATOR_KEY, AGENT_STATE_DIR } = readConfig(needed, settings);
    const node = enrolled.safeParse(await readJson(join(AGENT_STATE_DIR, 'node.json')));
    if (!node.success) throw new NotSetUp('this node is not enrolled yet: run `astro node init`');
    return { api: new OperatorApi(GATEWAY_URL, OPERATOR_KEY), nodeId: node.data.nodeId, settings };
  } catch (error) {
    if (error instanceof InvalidConfig) throw new NotSetUp(`${configFile}: ${error.lines.join('; ')}`);
    throw error;
  }
}
