import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { NodeAgentModule, type NodeAgentOverrides } from './node-agent.module.js';
import { probeMachine } from './probe/machine.js';
import { configOn } from './probe/offer.js';

/** The agent as a process, with its configuration from the environment. */
export async function startNodeAgent(overrides: NodeAgentOverrides = {}): Promise<void> {
  const machine = await probeMachine();
  const config = loadConfig(configOn(machine));
  await startService({
    name: 'node-agent',
    module: NodeAgentModule.with(config, machine, overrides),
    config,
  });
}
