import type { Inventory } from '@astro/messages/registry';
import { InvalidConfig } from '@astro/runtime/config';
import type { NodeAgentConfig } from '../node-agent.config.js';
import type { Machine } from './machine.js';

type Share = Pick<NodeAgentConfig, 'OFFER_CPU_MILLIS' | 'OFFER_MEMORY_MIB'>;

/**
 * What the node puts on the market: the share that its operator offers of the hardware that is really there.
 * @throws InvalidConfig when the machine does not have what is offered
 */
export function inventoryOf(machine: Machine, share: Share): Inventory {
  const { processor, memoryMib, diskFreeMib, accelerators, operatingSystem, architecture } = machine;
  const cpuMillisMax = processor.cores * 1000;
  const lines = [
    share.OFFER_CPU_MILLIS > cpuMillisMax && `OFFER_CPU_MILLIS: this machine has ${cpuMillisMax}`,
    share.OFFER_MEMORY_MIB > memoryMib && `OFFER_MEMORY_MIB: this machine has ${memoryMib}`,
  ].filter(line => line !== false);
  if (lines.length > 0) throw new InvalidConfig(lines);
  const cpu = { kind: 'cpu', vendor: processor.vendor, model: processor.model } as const;
  return {
    devices: [
      { ...cpu, memoryMib: share.OFFER_MEMORY_MIB },
      ...accelerators.map(accelerator => ({ kind: 'gpu' as const, ...accelerator })),
    ],
    cpuMillis: share.OFFER_CPU_MILLIS,
    memoryMib: share.OFFER_MEMORY_MIB,
    diskMib: diskFreeMib,
    operatingSystem,
    architecture,
    runtimes: ['wasm'],
  };
}
