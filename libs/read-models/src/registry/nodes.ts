import type { Projection } from '@astro/event-sourcing/projection';
import type {
  Attestation,
  AttestationKind,
  Drain,
  FigureChange,
  Inventory,
  Measurement,
  NodeEvent,
  Offer,
} from '@astro/messages/registry';
import { interruptibleAskAtto } from '@astro/messages/asks';
import { Atto } from '@astro/postgres/atto';
import { storedJson, type StoredJson } from '@astro/postgres/stored-json';
import { defineEntity, type EntityData, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { keyIn, pageOf, rowsFor, type Page, type PageQuery } from '../page.js';

export type NodeStatus = 'online' | 'offline';

/** Every node that enrolled, with what it offers and whether it is there. */
export const Node = defineEntity({
  name: 'Node',
  schema: 'registry',
  tableName: 'nodes',
  properties: p => ({
    nodeId: p.text().primary(),
    operatorId: p.text().index(),
    /** NKey of the node's own Ed25519 key: `U…`. */
    publicKey: p.text().index(),
    region: p.text(),
    inventory: p.json<StoredJson<Inventory>>(),
    pricePerSecondAtto: p.type(Atto),
    interruptiblePricePerSecondAtto: p.type(Atto),
    pricePerGibTransferredAtto: p.type(Atto),
    /** Where it serves content that it holds. */
    contentUrl: p.text().nullable(),
    /** Whom keys of encrypted jobs are encrypted to. */
    encryptionRecipient: p.text().nullable(),
    status: p.text().$type<NodeStatus>(),
    /** What it says that it can prove. */
    attestationClaimed: p.text().$type<AttestationKind>().nullable(),
    /** What was accepted of that, and until when it counts. */
    attestation: p.json<StoredJson<Attestation>>().nullable(),
    /** Since when nothing that it was given lets it in. */
    revokedAt: p.datetime().nullable(),
    /** While its operator gives it no more work. */
    drain: p.json<StoredJson<Drain>>().nullable(),
    /** What it measured last, and what that is in thousandths of the reference machine. */
    measurement: p.json<StoredJson<Measurement>>().nullable(),
    milliUnits: p.bigint('number').nullable(),
    /** The figures that were suddenly far from what they had been, the last time that any was; and when. */
    performanceChanges: p.json<StoredJson<readonly FigureChange[]>>().nullable(),
    performanceChangedAt: p.datetime().nullable(),
    enrolledAt: p.datetime(),
    lastChangeAt: p.datetime(),
    /** Of the last event that changed the row: an older one, repeated, does not change it back. */
    position: p.bigint('number'),
  }),
});
export type Node = InferEntity<typeof Node>;

export const nodes: Projection<NodeEvent, EntityManager> = {
  name: 'registry.nodes',
  version: 5,
  tables: ['nodes'],
  reads: ['registry.node'],
  async apply(em, { event: { type, data }, recordedAt, position }) {
    const change = { lastChangeAt: recordedAt, position };
    switch (type) {
      case 'NodeEnrolled': {
        const { offer, publicKey } = data;
        const row = {
          ...offered(offer),
          nodeId: offer.nodeId,
          publicKey,
          status: 'offline' as const,
          attestation: null,
          revokedAt: null,
          drain: null,
          measurement: null,
          milliUnits: null,
          performanceChanges: null,
          performanceChangedAt: null,
        };
        return em.upsert(Node, { ...row, enrolledAt: recordedAt, ...change }, { onConflictAction: 'ignore' });
      }
      case 'NodeCameOnline':
        return changed(em, data.offer.nodeId, {
          ...{ ...offered(data.offer), ...accepted(data.attestation), status: 'online' },
          ...change,
        });
      case 'NodeWentOffline':
        return changed(em, data.nodeId, { status: 'offline', ...change });
      case 'NodeAttested':
        return changed(em, data.nodeId, { ...accepted(data.attestation), ...change });
      case 'NodeAttestationRevoked':
        return changed(em, data.nodeId, { ...accepted(undefined), ...change });
      case 'NodeChallenged':
        return;
      case 'NodeKeyReplaced':
        return changed(em, data.nodeId, { publicKey: data.publicKey, ...change });
      case 'NodeRevoked':
        return changed(em, data.nodeId, { revokedAt: recordedAt, ...change });
      case 'NodeReinstated':
        return changed(em, data.nodeId, { revokedAt: null, ...change });
      case 'NodeDrained':
        return changed(em, data.nodeId, { drain: storedJson(data.drain), ...change });
      case 'NodeUndrained':
        return changed(em, data.nodeId, { drain: null, ...change });
      case 'NodeMeasured':
        return changed(em, data.nodeId, {
          ...{ measurement: storedJson(data.measurement), milliUnits: data.milliUnits },
          ...change,
        });
      case 'NodePerformanceChanged':
        return changed(em, data.nodeId, {
          ...{ performanceChanges: storedJson(data.changes), performanceChangedAt: recordedAt },
          ...change,
        });
    }
  },
};

const changed = (
  em: EntityManager,
  nodeId: string,
  change: EntityData<Node> & { readonly position: number },
) => em.nativeUpdate(Node, { nodeId, position: { $lt: change.position } }, change);

const accepted = (attestation: Attestation | undefined) => ({
  attestation: attestation ? storedJson(attestation) : null,
});

const offered = (offer: Offer) => ({
  operatorId: offer.operatorId,
  region: offer.region,
  inventory: storedJson(offer.inventory),
  pricePerSecondAtto: offer.pricePerSecondAtto,
  interruptiblePricePerSecondAtto: interruptibleAskAtto(offer),
  pricePerGibTransferredAtto: offer.pricePerGibTransferredAtto ?? 0n,
  contentUrl: offer.contentUrl ?? null,
  encryptionRecipient: offer.encryptionRecipient ?? null,
  attestationClaimed: offer.attestationClaimed ?? null,
});

export const findNode = (em: EntityManager, nodeId: string) => em.findOne(Node, { nodeId });

/** The node of an operator that has this key now, whatever key it enrolled with. */
export const findNodeByKey = (em: EntityManager, operatorId: string, publicKey: string) =>
  em.findOne(Node, { operatorId, publicKey }, { orderBy: { nodeId: 'asc' } });

export type NodeQuery = PageQuery & {
  readonly status?: NodeStatus | undefined;
  readonly operatorId?: string | undefined;
};

/** In the order of their ids, which is that of enrolment. @throws InvalidCursor */
export async function pageOfNodes(em: EntityManager, query: NodeQuery): Promise<Page<Node>> {
  const { cursor, limit, status, operatorId } = query;
  const rows = await em.find(
    Node,
    {
      ...(cursor === undefined ? {} : { nodeId: { $gt: keyIn(cursor, 1)[0]! } }),
      ...(status === undefined ? {} : { status }),
      ...(operatorId === undefined ? {} : { operatorId }),
    },
    { orderBy: { nodeId: 'asc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, node => [node.nodeId]);
}
