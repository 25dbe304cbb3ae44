import { loadConfig } from '@astro/runtime/config';
import { startService } from '@astro/runtime/start-service';
import { nodeAgentConfig } from './node-agent.config.js';
import { NodeAgentModule, type NodeAgentOverrides } from './node-agent.module.js';

/** The agent as a process, with its configuration from the environment. */
export async function startNodeAgent(overrides: NodeAgentOverrides = {}): Promise<void> {
  const config = loadConfig(nodeAgentConfig);
  await startService({ name: 'node-agent', module: NodeAgentModule.with(config, overrides), config });
}
