import type { z } from 'zod';
import { settingsNow } from '../cli/config-file.js';
import { nodeAgentConfig, type NodeAgentConfig } from '../node-agent.config.js';
import { diskFreeMib } from '../probe/machine.js';
import type { Left } from './pressure.js';

const BYTES_PER_MIB = 1024 * 1024;
const kept = nodeAgentConfig.pick({ HOST_MEMORY_LEFT_MIB: true, HOST_DISK_LEFT_MIB: true });

/** What a program could still get here, within the control group that the agent is in, and the disk of its folder. */
export const leftOfHost = async (stateDir: string): Promise<Left> => ({
  memoryMib: Math.floor(process.availableMemory() / BYTES_PER_MIB),
  diskMib: await diskFreeMib(stateDir),
});

/** What must be left, as file and environment say it now. @throws Error naming what breaks its rule */
export async function leastOfHost(config: NodeAgentConfig, configFile: string | undefined): Promise<Left> {
  if (configFile === undefined) return leftIn(config);
  return leftIn(await settingsNow(kept, configFile, process.env));
}

const leftIn = (config: z.infer<typeof kept>): Left => ({
  memoryMib: config.HOST_MEMORY_LEFT_MIB,
  diskMib: config.HOST_DISK_LEFT_MIB,
});
