import type { AttestationKind } from '@astro/messages/registry';
import type { AdmitNode, ExpiredLease, PoolEvent } from '@astro/messages/scheduling';
import type { Booking } from './booking/booking.js';
import { bookingsLostBy, bookingsWithout } from './booking/units-lost.js';
import { suffices } from './evidence.js';
import { engineOfferOf } from './fleet.js';
import { newRecord } from './node-record.js';
import { poolLimits } from './pool-limits.js';
import { ended, jobOfLease, type Lease, type Pool, type PoolNode } from './pool-state.js';

/** The node's leases that could not go on with no more than this accepted of it, and without these bookings there. */
function leasesWithout(
  pool: Pool,
  node: PoolNode,
  accepted: AttestationKind | undefined,
  lost: readonly Booking[],
): readonly ExpiredLease[] {
  const leases = [...node.leases].map(leaseId => pool.leases.get(leaseId)!);
  const needs = (lease: Lease) => jobOfLease(pool, lease).spec.requirements.attestations;
  const isLost = (lease: Lease) => lost.some(({ bookingId }) => bookingId === lease.bookingId);
  return leases.filter(lease => isLost(lease) || !suffices(needs(lease), accepted)).map(ended);
}

/** What a node has to give back that comes as another than it was, of which less is accepted or nothing is booked. */
export function leasesLostBy({ offer, attestation }: AdmitNode, pool: Pool): readonly ExpiredLease[] {
  const node = pool.nodes.get(offer.nodeId);
  if (!node) return [];
  return leasesWithout(pool, node, attestation?.kind, bookingsLostBy(pool, node, offer, attestation));
}

export const hasExpired = ({ attestation }: PoolNode, now: Date): boolean =>
  attestation !== undefined && attestation.expiresAt.getTime() <= now.getTime();

/**
 * The nodes of which nothing is accepted any more. It comes before all else in a tick, so that nothing is placed by
 * evidence that is too old, and nothing goes on by it.
 */
export function attestationsExpired(pool: Pool, poolId: string, now: Date): readonly PoolEvent[] {
  const nodeIds: string[] = [];
  const revoked: ExpiredLease[] = [];
  for (const node of pool.byAttestation) {
    if (!hasExpired(node, now)) break;
    const lost = leasesWithout(pool, node, undefined, bookingsWithout(pool, node, undefined));
    // A node has far fewer leases than one event may end.
    const isFull =
      nodeIds.length === poolLimits.attestationsOfTick ||
      revoked.length + lost.length > poolLimits.expiriesOfTick;
    if (isFull && nodeIds.length > 0) break;
    nodeIds.push(node.offer.nodeId);
    revoked.push(...lost);
  }
  if (nodeIds.length === 0) return [];
  return [{ type: 'AttestationsExpired', data: { poolId, nodeIds, expiredAt: now, revoked } }];
}

/** Nothing is accepted of the node from now on. */
export function forgetAttestation(pool: Pool, node: PoolNode): void {
  pool.byAttestation.remove(node);
  node.attestation = undefined;
  const record = pool.records.get(node.offer.nodeId) ?? newRecord();
  node.engineOffer = engineOfferOf(node.offer, record, node.attestation);
  pool.room.updateNode(node.engineOffer);
  pool.nodeChanges += 1;
}
