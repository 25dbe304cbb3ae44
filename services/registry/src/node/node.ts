import { isDeepStrictEqual } from 'node:util';
import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { milliUnitsOf } from '@astro/messages/compute-unit';
import type {
  Attestation,
  AttestNode,
  Drain,
  DrainNode,
  EnrolNode,
  Measurement,
  MeasureNode,
  NodeCommand,
  NodeEvent,
  Offer,
  UndrainNode,
} from '@astro/messages/registry';
import { attestationProblem, claims, isSameMachine } from './attestation-rules.js';
import { drainProblem, offerUnder, stricter } from './drain-rules.js';
import { MEASUREMENTS_KEPT, measurementProblem, suddenChanges } from './measurement-rules.js';
import { inventoryProblem, offerProblem } from './offer-rules.js';

export type NodeRejection =
  | 'PublicKeyIsInvalid'
  | 'OfferIsInvalid'
  | 'InventoryIsInvalid'
  | 'NodeHasAnotherKey'
  | 'NodeHasAnotherOperator'
  | 'NodeNotEnrolled'
  | 'AttestationIsInvalid'
  | 'AttestationIsNotClaimed'
  | 'DrainIsInvalid'
  | 'MeasurementIsInvalid';

export type Node =
  | { readonly status: 'absent' }
  | {
      readonly status: 'offline' | 'online';
      readonly offer: Offer;
      readonly publicKey: string;
      /** What was accepted last. Whether it has expired is for those to see who rely on it, and have a clock. */
      readonly attestation?: Attestation;
      /** While its operator gives it no more work. */
      readonly drain?: Drain;
      /** The last ones, oldest first. */
      readonly measurements?: readonly Measurement[];
    };
type Enrolled = Exclude<Node, { readonly status: 'absent' }>;

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
        return node.status === 'online' ? accept() : accept(cameOnline(node));
      case 'MarkNodeOffline':
        return node.status === 'offline' ? accept() : accept({ type: 'NodeWentOffline', data });
      case 'AttestNode':
        return attest(data, node);
      case 'RevokeAttestation':
        return node.attestation ? accept(...revoked(node, data.reason)) : accept();
      case 'DrainNode':
        return drainNode(data, node);
      case 'UndrainNode':
        return undrainNode(data, node);
      case 'MeasureNode':
        return measure(data, node);
    }
  },

  evolve(node, { type, data }) {
    switch (type) {
      case 'NodeEnrolled':
        return { ...(node.status !== 'absent' && node), status: 'offline', ...data };
      case 'NodeCameOnline':
        return { ...enrolled(node, data.offer.nodeId), status: 'online' };
      case 'NodeWentOffline':
        return { ...enrolled(node, data.nodeId), status: 'offline' };
      case 'NodeAttested':
        return { ...enrolled(node, data.nodeId), attestation: data.attestation };
      case 'NodeAttestationRevoked': {
        const { attestation: _revoked, ...rest } = enrolled(node, data.nodeId);
        return rest;
      }
      case 'NodeDrained':
        return { ...enrolled(node, data.nodeId), drain: data.drain };
      case 'NodeUndrained':
        return undrained(enrolled(node, data.nodeId));
      case 'NodeMeasured': {
        const known = enrolled(node, data.nodeId);
        const measurements = [...(known.measurements ?? []), data.measurement].slice(-MEASUREMENTS_KEPT);
        return { ...known, measurements };
      }
      case 'NodePerformanceChanged':
        return node;
    }
  },

  snapshot: structured(4),
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
    if (isDeepStrictEqual(node.offer, data.offer)) return accept();
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
  const events: NodeEvent[] = [{ type: 'NodeEnrolled', data }];
  if (node.status === 'absent') return accept(...events);
  const changed = { ...node, offer: data.offer };
  if (node.attestation && !isSameMachine(node.offer, data.offer))
    return accept(...events, ...revoked(changed, 'the offer is of another machine'));
  return node.status === 'online' ? accept(...events, cameOnline(changed)) : accept(...events);
}

/** The evidence is not known here: whoever sends this has verified it. */
function attest({ nodeId, attestation }: AttestNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  if (isDeepStrictEqual(node.attestation, attestation)) return accept();
  const problem = attestationProblem(attestation);
  if (problem !== undefined) return reject('AttestationIsInvalid', `attestation.${problem}`);
  const { kind } = attestation;
  if (!claims(node.offer, kind))
    return reject('AttestationIsNotClaimed', `attestation.kind: the node does not offer ${kind}`);
  const events: NodeEvent[] = [{ type: 'NodeAttested', data: { nodeId, attestation } }];
  return node.status === 'online'
    ? accept(...events, cameOnline({ ...node, attestation }))
    : accept(...events);
}

function revoked(node: Enrolled, reason: string): readonly NodeEvent[] {
  const { attestation: _revoked, ...rest } = node;
  const { nodeId } = node.offer;
  const event: NodeEvent = { type: 'NodeAttestationRevoked', data: { nodeId, reason } };
  return node.status === 'online' ? [event, cameOnline(rest)] : [event];
}

function drainNode(data: DrainNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const { nodeId, operatorId } = data;
  if (operatorId !== node.offer.operatorId) return reject('NodeHasAnotherOperator', nodeId);
  const problem = drainProblem(data.drain);
  if (problem !== undefined) return reject('DrainIsInvalid', problem);
  const drain = stricter(node.drain, data.drain);
  if (drain === node.drain) return accept();
  return accept({ type: 'NodeDrained', data: { nodeId, drain } }, ...toldAnew({ ...node, drain }));
}

function undrainNode(
  { nodeId, operatorId }: UndrainNode,
  node: Enrolled,
): Decision<NodeEvent, NodeRejection> {
  if (operatorId !== node.offer.operatorId) return reject('NodeHasAnotherOperator', nodeId);
  if (!node.drain) return accept();
  return accept({ type: 'NodeUndrained', data: { nodeId } }, ...toldAnew(undrained(node)));
}

/** A figure that changes suddenly is told beside the measurement: the machine is another one, or in trouble. */
function measure({ nodeId, measurement }: MeasureNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const problem = measurementProblem(measurement, node.offer);
  if (problem !== undefined) return reject('MeasurementIsInvalid', problem);
  const milliUnits = milliUnitsOf(measurement);
  const changes = suddenChanges(node.measurements ?? [], measurement);
  const events: NodeEvent[] = [{ type: 'NodeMeasured', data: { nodeId, measurement, milliUnits } }];
  if (changes.length > 0) events.push({ type: 'NodePerformanceChanged', data: { nodeId, changes } });
  return accept(...events);
}

const toldAnew = (node: Enrolled): readonly NodeEvent[] =>
  node.status === 'online' ? [cameOnline(node)] : [];

function undrained({ drain: _ended, ...node }: Enrolled): Enrolled {
  return node;
}

/** Also of a node that is online already, where it changes: those who place work learn of it from this event. */
const cameOnline = (node: Enrolled): NodeEvent => ({
  type: 'NodeCameOnline',
  data: {
    offer: offerUnder(node.drain, node.offer),
    ...attested(node),
    ...(node.drain?.noticeUntil && { noticeUntil: node.drain.noticeUntil }),
  },
});

const attested = (node: Node): { readonly attestation?: Attestation } =>
  node.status !== 'absent' && node.attestation ? { attestation: node.attestation } : {};

function enrolled(node: Node, nodeId: string) {
  if (node.status === 'absent')
    throw new Error(`the history has ${nodeId} come or go before it was enrolled`);
  return node;
}
