import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type { EnrolNode, NodeCommand, NodeEvent, Offer } from '@astro/messages/registry';
import { inventoryProblem, offerProblem } from './offer-rules.js';

export type NodeRejection =
  | 'PublicKeyIsInvalid'
  | 'OfferIsInvalid'
  | 'InventoryIsInvalid'
  | 'NodeHasAnotherKey'
  | 'NodeHasAnotherOperator'
  | 'NodeNotEnrolled';

export type Node =
  | { readonly status: 'absent' }
  | { readonly status: 'offline' | 'online'; readonly offer: Offer; readonly publicKey: string };

/** An Ed25519 public key in the NATS user form. */
const publicKeyPattern = /^U[A-Z2-7]{55}$/;

/** A machine on the market: what it offers, who owns it, and whether it is there. */
export const node: Decider<Node, NodeCommand, NodeEvent, NodeRejection> = {
  initialState: { status: 'absent' },

  decide({ type, data }, node) {
    if (type === 'EnrolNode') return enrol(data, node);
    if (node.status === 'absent') return reject('NodeNotEnrolled', data.nodeId);
    switch (type) {
      case 'MarkNodeOnline':
        return node.status === 'online'
          ? accept()
          : accept({ type: 'NodeCameOnline', data: { offer: node.offer } });
      case 'MarkNodeOffline':
        return node.status === 'offline' ? accept() : accept({ type: 'NodeWentOffline', data });
    }
  },

  evolve(node, { type, data }) {
    switch (type) {
      case 'NodeEnrolled':
        return { status: 'offline', ...data };
      case 'NodeCameOnline':
        return { ...enrolled(node, data.offer.nodeId), status: 'online' };
      case 'NodeWentOffline':
        return { ...enrolled(node, data.nodeId), status: 'offline' };
    }
  },

  snapshot: structured(2),
};

/**
 * A node may come back with another offer: new hardware, another price. While it is online that makes it come
 * online anew, because those who place work learn offers from that event.
 */
function enrol(data: EnrolNode, node: Node): Decision<NodeEvent, NodeRejection> {
  if (node.status !== 'absent') {
    if (node.publicKey !== data.publicKey)
      return reject('NodeHasAnotherKey', 'publicKey: is not the enrolled one');
    if (node.offer.operatorId !== data.offer.operatorId) {
      return reject('NodeHasAnotherOperator', 'offer.operatorId: is not the enrolled one');
    }
    if (contentOf(node.offer) === contentOf(data.offer)) return accept();
  }
  if (!publicKeyPattern.test(data.publicKey)) {
    return reject('PublicKeyIsInvalid', 'publicKey: must be a NATS user key of 56 characters');
  }
  const wrongOffer = offerProblem(data.offer);
  if (wrongOffer !== undefined) return reject('OfferIsInvalid', `offer.${wrongOffer}`);
  const wrongInventory = inventoryProblem(data.offer.inventory);
  if (wrongInventory !== undefined) {
    return reject('InventoryIsInvalid', `offer.inventory.${wrongInventory}`);
  }
  return node.status === 'online'
    ? accept<NodeEvent>(
        { type: 'NodeEnrolled', data },
        { type: 'NodeCameOnline', data: { offer: data.offer } },
      )
    : accept({ type: 'NodeEnrolled', data });
}

/** All that an offer says, as text that does not depend on the order of its fields. */
const contentOf = ({ region, pricePerSecondAtto, inventory, fabric, maintenance }: Offer) =>
  JSON.stringify([
    region,
    String(pricePerSecondAtto),
    inventory.devices.map(device => [
      [device.kind, device.vendor, device.model, device.memoryMib, device.interconnect, device.isShareable],
      device.slices.map(({ profile, memoryMib }) => [profile, memoryMib]),
      [device.idleWatts, device.fullWatts],
    ]),
    [inventory.cpuMillis, inventory.memoryMib, inventory.diskMib, inventory.bandwidthMbps],
    [inventory.operatingSystem, inventory.architecture, inventory.runtimes],
    [fabric, maintenance.map(({ from, until }) => [from, until])],
  ]);

function enrolled(node: Node, nodeId: string) {
  if (node.status === 'absent')
    throw new Error(`the history has ${nodeId} come or go before it was enrolled`);
  return node;
}
