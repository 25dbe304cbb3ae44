import type { Node } from '@astro/read-models/registry/nodes';
import type { z } from 'zod';
import type { Caller } from '../http/caller.js';
import { attestationKind, deviceKind } from '../http/fields.js';
import type { performance } from './node-work.schema.js';
import type { nodeResource } from './nodes.schema.js';

/** What a command to a node is waited for in, before its answer is composed. */
export const NODES_PROJECTION = 'registry.nodes';

export const toResource = (node: Node, reader: Caller): z.infer<typeof nodeResource> => ({
  id: node.nodeId,
  operatorId: node.operatorId,
  region: node.region,
  inventory: {
    ...node.inventory,
    devices: node.inventory.devices.map(device => ({ ...device, kind: deviceKind.parse(device.kind) })),
  },
  pricePerSecondAtto: node.pricePerSecondAtto.toString(),
  interruptiblePricePerSecondAtto: node.interruptiblePricePerSecondAtto.toString(),
  pricePerGibTransferredAtto: node.pricePerGibTransferredAtto.toString(),
  ...(node.contentUrl && mayAskForContent(reader, node) && { contentUrl: node.contentUrl }),
  ...(node.encryptionRecipient && { encryptionRecipient: node.encryptionRecipient }),
  status: node.status,
  ...(node.revokedAt && { revokedAt: node.revokedAt.toISOString() }),
  ...(node.attestationClaimed && { attestationClaimed: attestationKind.parse(node.attestationClaimed) }),
  ...(node.attestation && {
    attestation: { ...node.attestation, kind: attestationKind.parse(node.attestation.kind) },
  }),
  ...(node.drain && { drain: node.drain }),
  ...(node.measurement && { performance: performanceOf(node, node.measurement) }),
});

/** Where a machine is found is nobody's business but of those who fetch from it, and of whoever runs it. */
const mayAskForContent = ({ kind, id }: Caller, { operatorId }: Node): boolean =>
  kind === 'node' || (kind === 'operator' && id === operatorId);

const performanceOf = (
  { milliUnits, performanceChanges, performanceChangedAt }: Node,
  measurement: NonNullable<Node['measurement']>,
): z.infer<typeof performance> => ({
  ...measurement,
  milliUnits: milliUnits ?? 0,
  ...(performanceChanges &&
    performanceChangedAt && {
      lastChange: { at: performanceChangedAt.toISOString(), figures: performanceChanges },
    }),
});
