import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { AttestationsExpired, NodeAdmitted, NodeWithdrawn } from '@astro/messages/scheduling';
import { forgetAttestation } from './attestations.js';
import { loseUnits } from './booking/evolve-bookings.js';
import { bookingsLostBy, bookingsOn, bookingsWithout } from './booking/units-lost.js';
import { endLease, recordOf, takeBack } from './end-lease.js';
import { engineOfferOf } from './fleet.js';
import { leaseOf, nodeOf } from './lookups.js';
import type { LeaseEnd, Pool, PoolNode } from './pool-state.js';

export function admit(pool: Pool, { offer, attestation, revoked, at }: NodeAdmitted): void {
  takeBack(pool, revoked);
  const { nodeId } = offer;
  const known = pool.nodes.get(nodeId);
  if (known) loseUnits(pool, nodeId, bookingsLostBy(pool, known, offer, attestation), at);
  const engineOffer = engineOfferOf(offer, recordOf(pool, nodeId), attestation);
  if (known) pool.shares.withdraw(known.offer.inventory);
  if (known) pool.use.withdraw(known.offer.inventory);
  pool.shares.offer(offer.inventory);
  pool.use.offer(offer.inventory);
  if (known) readmit(pool, known, engineOffer);
  else pool.room.addNode(engineOffer);
  const leases = known?.leases ?? new Set<string>();
  const endedLeases = known?.endedLeases ?? new Map<string, LeaseEnd>();
  if (known?.attestation) pool.byAttestation.remove(known);
  const node: PoolNode = { offer, engineOffer, attestation, leases, endedLeases };
  pool.nodes.set(nodeId, node);
  if (attestation) pool.byAttestation.add(node);
  pool.nodeChanges += 1;
}

export function withdraw(pool: Pool, { nodeId, at }: NodeWithdrawn): void {
  const node = nodeOf(pool, nodeId);
  const { offer, leases } = node;
  if (node.attestation) pool.byAttestation.remove(node);
  pool.shares.withdraw(offer.inventory);
  pool.use.withdraw(offer.inventory);
  for (const leaseId of leases) endLease(pool, leaseId, 'revoked');
  loseUnits(pool, nodeId, bookingsOn(pool, nodeId), at);
  pool.nodes.delete(nodeId);
  pool.room.removeNode(nodeId);
  pool.nodeChanges += 1;
  pool.nodesLost += 1;
}

/** Of each of these nodes nothing is accepted any more. */
export function expireAttestations(pool: Pool, { nodeIds, expiredAt, revoked }: AttestationsExpired): void {
  pool.shares.passed(expiredAt);
  takeBack(pool, revoked);
  for (const nodeId of nodeIds) {
    const node = nodeOf(pool, nodeId);
    loseUnits(pool, nodeId, bookingsWithout(pool, node, undefined), expiredAt);
    forgetAttestation(pool, node);
  }
}

/**
 * A changed offer keeps the live leases. Where devices that are held have changed, the node comes anew and its
 * leases hold what they still can of it: all, or their CPU and memory, or nothing.
 */
function readmit(pool: Pool, node: PoolNode, engineOffer: NodeOffer): void {
  const { engine, room } = pool;
  if (room.updateNode(engineOffer) === 'updated') return;
  room.removeNode(engineOffer.nodeId);
  room.addNode(engineOffer);
  for (const leaseId of node.leases) {
    const lease = leaseOf(pool, leaseId);
    if (lease.bookingId !== undefined) continue;
    const without = { ...lease.hold, units: [] };
    const nothing = { ...without, cpuMillis: 0, memoryMib: 0, diskMib: 0, bandwidthMbps: 0 };
    lease.hold = [lease.hold, without, nothing].find(hold => canTake(engine, hold)) ?? nothing;
    engine.take(lease.hold);
    room.granted(lease, pool.interruptible.has(lease));
  }
}

function canTake(engine: PlacementEngine, hold: Hold): boolean {
  try {
    return engine.simulate(() => engine.take(hold)) === 'taken';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
