import { isDeepStrictEqual } from 'node:util';
import type { Attestation, AttestationKind, Offer } from '@astro/messages/registry';
import { suffices } from '../evidence.js';
import type { Pool, PoolNode } from '../pool-state.js';
import type { Booking } from './booking.js';

/** Bookings that have units on the node. */
export const bookingsOn = ({ bookings }: Pool, nodeId: string): readonly Booking[] =>
  [...bookings.values()].filter(({ units }) => units.some(({ home }) => home?.nodeId === nodeId));

/** Bookings that the node can hold no more with only this accepted of it. */
export const bookingsWithout = (
  pool: Pool,
  { offer }: PoolNode,
  accepted: AttestationKind | undefined,
): readonly Booking[] =>
  bookingsOn(pool, offer.nodeId).filter(({ spec: { requirements } }) => {
    return !suffices(requirements.attestations, accepted);
  });

/** The same of a node that comes anew: with another inventory, or elsewhere, it is another node. */
export function bookingsLostBy(
  pool: Pool,
  node: PoolNode,
  offer: Offer,
  attestation: Attestation | undefined,
): readonly Booking[] {
  const whatCounts = ({ operatorId, region, fabric, inventory }: Offer) => [
    operatorId,
    region,
    fabric,
    inventory,
  ];
  return isDeepStrictEqual(whatCounts(node.offer), whatCounts(offer))
    ? bookingsWithout(pool, node, attestation?.kind)
    : bookingsOn(pool, offer.nodeId);
}
