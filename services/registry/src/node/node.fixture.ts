import type { NodeEvent, Offer } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import { nodeWithin } from './node.js';

/** Nodes that may serve content wherever they like. */
export const node: ReturnType<typeof nodeWithin> = nodeWithin({ mayServeAt: () => true });

/** Examples of a node on the market. */
export const offer: Offer = {
  nodeId: 'node_1',
  operatorId: 'operator_1',
  region: 'de-fra',
  inventory: {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 4_096, ...plainDevice }],
    cpuMillis: 4_000,
    memoryMib: 8_192,
    diskMib: 65_536,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  pricePerSecondAtto: 10n ** 12n,
  ...plainOffer,
};
export const enrolled: NodeEvent = {
  type: 'NodeEnrolled',
  data: { offer, publicKey: `U${'A'.repeat(55)}` },
};
export const online: NodeEvent = { type: 'NodeCameOnline', data: { offer } };
