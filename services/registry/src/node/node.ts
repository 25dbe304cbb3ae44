import { isDeepStrictEqual } from 'node:util';
import { accept, answer, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { milliUnitsOf } from '@astro/messages/compute-unit';
import type {
  Attestation,
  AttestNode,
  ChallengeNode,
  Drain,
  DrainNode,
  EnrolNode,
  Measurement,
  MeasureNode,
  NodeCommand,
  NodeEvent,
  Offer,
  RecoverNodeKey,
  RevokeNode,
  RotateNodeKey,
  UndrainNode,
} from '@astro/messages/registry';
import {
  attestationProblem,
  claims,
  evidenceFlaw,
  isSameMachine,
  type EvidenceFlaw,
} from './attestation-rules.js';
import { challengeProblem, isFresh, type Challenge } from './challenge-rules.js';
import { drainProblem, offerUnder, stricter } from './drain-rules.js';
import { publicKeyProblem, reasonProblem, signatureProblem } from './key-rules.js';
import { MEASUREMENTS_KEPT, measurementProblem, suddenChanges } from './measurement-rules.js';
import { inventoryProblem, offerProblem, type OfferLimits } from './offer-rules.js';

export type NodeRejection =
  | 'PublicKeyIsInvalid'
  | 'OfferIsInvalid'
  | 'InventoryIsInvalid'
  | 'NodeHasAnotherKey'
  | 'NodeHasAnotherOperator'
  | 'NodeNotEnrolled'
  | 'NodeIsOfAnotherOperator'
  | 'NodeIsRevoked'
  | 'SignatureIsInvalid'
  | 'ReasonIsInvalid'
  | 'AttestationIsInvalid'
  | 'AttestationIsNotClaimed'
  | 'ChallengeIsInvalid'
  | 'DrainIsInvalid'
  | 'MeasurementIsInvalid'
  | EvidenceFlaw;

export type Node =
  | { readonly status: 'absent' }
  | {
      readonly status: 'offline' | 'online';
      readonly offer: Offer;
      readonly publicKey: string;
      /** What was accepted last. Whether it has expired is for those to see who rely on it, and have a clock. */
      readonly attestation?: Attestation;
      /** Until it was answered, whether or not it has expired. */
      readonly challenge?: Challenge;
      /** By whom nothing that the node was given counts any more. */
      readonly revokedBy?: 'operator' | 'platform';
      /** While its operator gives it no more work. */
      readonly drain?: Drain;
      /** The last ones, oldest first. */
      readonly measurements?: readonly Measurement[];
    };
type Enrolled = Exclude<Node, { readonly status: 'absent' }>;

/** An Ed25519 public key in the NATS user form. */
const publicKeyPattern = /^U[A-Z2-7]{55}$/;

/** A machine on the market: what it offers, who owns it, and whether it is there. */
export const nodeWithin = (limits: OfferLimits): Decider<Node, NodeCommand, NodeEvent, NodeRejection> => ({
  initialState: { status: 'absent' },

  decide({ type, data }, node) {
    if (type === 'EnrolNode') return enrol(data, node, limits);
    if (node.status === 'absent') return reject('NodeNotEnrolled', data.nodeId);
    switch (type) {
      case 'MarkNodeOnline':
        return markOnline(node);
      case 'MarkNodeOffline':
        return node.status === 'offline' ? accept() : accept({ type: 'NodeWentOffline', data });
      case 'AttestNode':
        return attest(data, node);
      case 'ChallengeNode':
        return challenge(data, node);
      case 'RevokeAttestation':
        return node.attestation ? accept(...revoked(node, data.reason)) : accept();
      case 'RotateNodeKey':
        return node.revokedBy ? refuseRevoked(node.revokedBy) : replaceKey(data, node);
      case 'RecoverNodeKey':
        return recoverKey(data, node);
      case 'RevokeNode':
        return revoke(data, node);
      case 'ReinstateNode':
        return node.revokedBy ? accept({ type: 'NodeReinstated', data }) : accept();
      case 'DrainNode':
        return drainNode(data, node);
      case 'UndrainNode':
        return undrainNode(data, node);
      case 'MeasureNode':
        return measure(data, node);
    }
  },

  evolve,

  snapshot: structured(6),
});

function evolve(node: Node, { type, data }: NodeEvent): Node {
  switch (type) {
    case 'NodeEnrolled':
      return { ...(node.status !== 'absent' && node), status: 'offline', ...data };
    case 'NodeCameOnline':
      return { ...enrolled(node, data.offer.nodeId), status: 'online' };
    case 'NodeWentOffline':
      return { ...enrolled(node, data.nodeId), status: 'offline' };
    case 'NodeChallenged': {
      const { nodeId, ...given } = data;
      return { ...enrolled(node, nodeId), challenge: given };
    }
    case 'NodeAttested': {
      const { challenge: _answered, ...rest } = enrolled(node, data.nodeId);
      return { ...rest, attestation: data.attestation };
    }
    case 'NodeAttestationRevoked': {
      const { attestation: _revoked, ...rest } = enrolled(node, data.nodeId);
      return rest;
    }
    case 'NodeKeyReplaced':
      return { ...enrolled(node, data.nodeId), publicKey: data.publicKey };
    case 'NodeRevoked':
      return { ...enrolled(node, data.nodeId), revokedBy: data.operatorId ? 'operator' : 'platform' };
    case 'NodeReinstated': {
      const { revokedBy: _revokedBy, ...rest } = enrolled(node, data.nodeId);
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
}

/**
 * A node may come back with another offer: new hardware, another price. While it is online that makes it come
 * online anew, because those who place work learn offers from that event.
 */
function enrol(data: EnrolNode, node: Node, limits: OfferLimits): Decision<NodeEvent, NodeRejection> {
  if (node.status !== 'absent') {
    if (node.publicKey !== data.publicKey)
      return reject('NodeHasAnotherKey', 'publicKey: is not the enrolled one');
    if (node.offer.operatorId !== data.offer.operatorId) {
      return reject('NodeHasAnotherOperator', 'offer.operatorId: is not the enrolled one');
    }
    if (node.revokedBy) return refuseRevoked(node.revokedBy);
    if (isDeepStrictEqual(node.offer, data.offer)) return accept();
  }
  if (!publicKeyPattern.test(data.publicKey)) {
    return reject('PublicKeyIsInvalid', 'publicKey: must be a NATS user key of 56 characters');
  }
  const wrongOffer = offerProblem(data.offer, limits);
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

/** Where an earlier one is fresh, the answer says so, and that one counts. */
function challenge({ nodeId, ...given }: ChallengeNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const problem = challengeProblem(given);
  if (problem !== undefined) return reject('ChallengeIsInvalid', problem);
  if (node.challenge && isFresh(node.challenge, given.issuedAt)) return answer(node.challenge);
  return accept({ type: 'NodeChallenged', data: { nodeId, ...given } });
}

/** What comes of a node that was revoked is what its old connection still said. */
function markOnline(node: Enrolled): Decision<NodeEvent, NodeRejection> {
  if (node.revokedBy) return refuseRevoked(node.revokedBy);
  return node.status === 'online' ? accept() : accept(cameOnline(node));
}

/**
 * A node that is online stays so: what it works on is its own under any key. What it has proved was bound to the old
 * one.
 */
function replaceKey(
  data: RotateNodeKey | RecoverNodeKey,
  node: Enrolled,
): Decision<NodeEvent, NodeRejection> {
  const { nodeId, publicKey } = data;
  const { publicKey: previousPublicKey } = node;
  if (publicKey === previousPublicKey) return accept();
  const wrongKey = publicKeyProblem(publicKey);
  if (wrongKey !== undefined) return reject('PublicKeyIsInvalid', wrongKey);
  const unsigned = signatureProblem(data, previousPublicKey);
  if (unsigned !== undefined) return reject('SignatureIsInvalid', unsigned);
  const by = 'operatorId' in data && { operatorId: data.operatorId };
  const event: NodeEvent = {
    type: 'NodeKeyReplaced',
    data: { nodeId, previousPublicKey, publicKey, ...by },
  };
  return node.attestation ? accept(event, ...revoked(node, 'its key was replaced')) : accept(event);
}

/** A new key ends what the operator itself has revoked, for the lost one is what it was revoked for. */
function recoverKey(data: RecoverNodeKey, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const { nodeId, operatorId, publicKey } = data;
  if (operatorId !== node.offer.operatorId) return reject('NodeIsOfAnotherOperator');
  if (node.revokedBy === undefined) return replaceKey(data, node);
  if (node.revokedBy === 'platform') return refuseRevoked(node.revokedBy);
  if (publicKey === node.publicKey) return reject('PublicKeyIsInvalid', 'publicKey: is the revoked one');
  const replaced = replaceKey(data, node);
  if (!replaced.accepted) return replaced;
  return accept(...replaced.events, { type: 'NodeReinstated', data: { nodeId } });
}

/** Who is online goes offline with it, so that its leases end as lost now and not after a silence. */
function revoke(data: RevokeNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const { nodeId, operatorId, reason, at } = data;
  if (operatorId !== undefined && operatorId !== node.offer.operatorId)
    return reject('NodeIsOfAnotherOperator');
  const wrongReason = reasonProblem(data);
  if (wrongReason !== undefined) return reject('ReasonIsInvalid', wrongReason);
  // The platform's word counts for more than the operator's, and nothing more is said after it.
  if (node.revokedBy === 'platform' || (node.revokedBy && operatorId !== undefined)) return accept();
  const by = operatorId !== undefined && { operatorId };
  const events: NodeEvent[] = [
    { type: 'NodeRevoked', data: { nodeId, publicKey: node.publicKey, reason, ...by } },
  ];
  if (node.status === 'online') events.push({ type: 'NodeWentOffline', data: { nodeId, lastSeenAt: at } });
  return accept(...events);
}

const refuseRevoked = (revokedBy: 'operator' | 'platform') =>
  reject('NodeIsRevoked', `the ${revokedBy} has revoked this node`);

/** The evidence is not known here: whoever sends this has verified it. */
function attest(data: AttestNode, node: Enrolled): Decision<NodeEvent, NodeRejection> {
  const { nodeId, attestation } = data;
  if (isDeepStrictEqual(node.attestation, attestation)) return accept();
  const problem = attestationProblem(attestation);
  if (problem !== undefined) return reject('AttestationIsInvalid', `attestation.${problem}`);
  const { kind } = attestation;
  if (!claims(node.offer, kind))
    return reject('AttestationIsNotClaimed', `attestation.kind: the node does not offer ${kind}`);
  const flaw = evidenceFlaw(data, node.challenge, node.offer);
  if (flaw !== undefined) return reject(...flaw);
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
  if (operatorId !== node.offer.operatorId) return reject('NodeIsOfAnotherOperator');
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
  if (operatorId !== node.offer.operatorId) return reject('NodeIsOfAnotherOperator');
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
