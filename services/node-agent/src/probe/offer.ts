import type { Inventory } from '@astro/messages/registry';
import type { z } from 'zod';
import { nodeAgentConfig, type NodeAgentConfig } from '../node-agent.config.js';
import type { Machine } from './machine.js';
import type { OfferedRuntime } from '@astro/messages/runtimes';
import { plainDevice, plainInventory } from '@astro/messages/unconstrained';

type Share = Pick<NodeAgentConfig, 'OFFER_CPU_MILLIS' | 'OFFER_MEMORY_MIB'>;

/** The agent's configuration, in which no more may be offered than this machine has. */
export const configOn = ({ processor, memoryMib }: Machine): z.ZodType<NodeAgentConfig> =>
  nodeAgentConfig
    .refine(share => share.OFFER_CPU_MILLIS <= processor.cores * 1000, {
      path: ['OFFER_CPU_MILLIS'],
      message: `must be at most ${processor.cores * 1000}, which is all that this machine has`,
    })
    .refine(share => share.OFFER_MEMORY_MIB <= memoryMib, {
      path: ['OFFER_MEMORY_MIB'],
      message: `must be at most ${memoryMib}, which is all that this machine has`,
    });

/** Of the devices in the inventory, by which an engine hands them out; the processor, which comes first, has none. */
export const deviceIdsOf = ({ accelerators }: Machine): readonly (string | undefined)[] => [
  undefined,
  ...accelerators.map(({ id }) => id),
];

/** What the node puts on the market: the share that its operator offers of the hardware that is really there. */
export const inventoryOf = (
  machine: Machine,
  share: Share,
  diskMib: number,
  runtimes: readonly OfferedRuntime[],
): Inventory => ({
  devices: [
    {
      kind: 'cpu',
      vendor: machine.processor.vendor,
      model: machine.processor.model,
      memoryMib: share.OFFER_MEMORY_MIB,
      ...plainDevice,
    },
    ...machine.accelerators.map(({ vendor, model, memoryMib }) => ({
      kind: 'gpu' as const,
      ...plainDevice,
      ...{ vendor, model, memoryMib },
    })),
  ],
  cpuMillis: share.OFFER_CPU_MILLIS,
  memoryMib: share.OFFER_MEMORY_MIB,
  diskMib,
  operatingSystem: machine.operatingSystem,
  architecture: machine.architecture,
  runtimes,
  ...plainInventory,
});
