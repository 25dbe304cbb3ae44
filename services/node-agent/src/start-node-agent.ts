import { parseArgs } from 'node:util';
import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { settingsWith } from './cli/config-file.js';
import { NodeAgentModule, type NodeAgentOverrides } from './node-agent.module.js';
import { probeMachine } from './probe/machine.js';
import { configOn } from './probe/offer.js';

/** The agent as a process, with its configuration from the environment and, where one is named, a file under it. */
export async function startNodeAgent(overrides: NodeAgentOverrides = {}): Promise<void> {
  const machine = await probeMachine();
  const configFile = namedFile(process.argv.slice(2), process.env);
  const config = loadConfig(configOn(machine), await settingsWith(configFile, process.env));
  await startService({
    name: 'node-agent',
    module: NodeAgentModule.with(config, machine, { ...overrides, configFile }),
    config,
  });
}

function namedFile(args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const { values } = parseArgs({ args: [...args], options: { config: { type: 'string' } } });
  return values.config ?? (env['AGENT_CONFIG'] || undefined);
}
