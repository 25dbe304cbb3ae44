import type { DeviceOffer, NodeOffer } from '@astro/matching/engine/offer';
import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import { interruptibleAskAtto } from '@astro/messages/asks';
import { plainRequest, type Requirements } from '@astro/matching/engine/request';
import type { HeldUnit } from '@astro/messages/scheduling';
import type { Attestation, Device, Offer } from '@astro/messages/registry';
import { holdingsOf, reliabilityOf, type NodeRecord } from './node-record.js';

/**
 * What the engine knows of a node: what it offers, and what the pool has seen of it. What it claims to be able to
 * prove is not among it: only evidence that was accepted is.
 */
export function engineOfferOf(
  offer: Offer,
  record: NodeRecord,
  attestation: Attestation | undefined,
): NodeOffer {
  const { nodeId, operatorId, region, fabric, inventory, maintenance } = offer;
  const { cpuMillis, memoryMib, diskMib, bandwidthMbps, runtimes, devices } = inventory;
  return {
    nodeId,
    operatorId,
    region,
    // A region begins with its country.
    country: region.slice(0, 2),
    attestation: attestation?.kind ?? 'none',
    runtimes,
    fabric,
    cpuMillis,
    memoryMib,
    diskMib,
    bandwidthMbps,
    devices: devices.map(engineDeviceOf),
    // Of processors' power nothing is known; that of devices is part of the offer.
    cpuPower: { socketMillis: Math.max(1, cpuMillis), idleWatts: 0, fullWatts: 0 },
    performance: 1,
    reliability: reliabilityOf(record),
    pricePerDeviceSecondAtto: offer.pricePerSecondAtto,
    interruptiblePriceAtto: interruptibleAskAtto(offer),
    transferPriceAtto: offer.pricePerGibTransferredAtto ?? 0n,
    datasets: holdingsOf(record),
    maintenance: maintenance.map(({ from, until }) => ({ fromMs: from.getTime(), untilMs: until.getTime() })),
  };
}

function engineDeviceOf({ kind, ...device }: Device): DeviceOffer {
  if (kind === 'unspecified') throw new Error('a node was admitted with a device of no kind');
  const { vendor, model, memoryMib, interconnect, isShareable, slices, idleWatts, fullWatts } = device;
  return { kind, vendor, model, memoryMib, interconnect, isShareable, slices, idleWatts, fullWatts };
}

/** What a recorded lease holds of its node. */
export function holdOf(
  engine: PlacementEngine,
  nodeId: string,
  needs: Pick<Requirements, 'cpuMillis' | 'memoryMib' | 'diskMib' | 'bandwidthMbps'>,
  units: readonly HeldUnit[],
): Hold {
  const { cpuMillis, memoryMib, diskMib, bandwidthMbps } = needs;
  const { fleet } = engine;
  const slot = fleet.slotOf(nodeId);
  if (slot === undefined) throw new Error(`the pool has no node ${nodeId}`);
  const { origins } = fleet.columns.shapeOf(slot);
  const held = units.flatMap(({ device, slice, shareThousandths }) => {
    const unit = origins.findIndex(origin => origin.device === device && origin.slice === slice);
    return unit < 0 ? [] : [{ unit, ...origins[unit]!, shareThousandths }];
  });
  return { nodeId, cpuMillis, memoryMib, diskMib, bandwidthMbps, units: held };
}

/**
 * The devices that a lease holds which was recorded before devices were: the first that are free on the node
 * and suit, as they were given then.
 */
export function unitsOnNode(
  engine: PlacementEngine,
  nodeId: string,
  needs: Requirements,
): readonly HeldUnit[] {
  const count = needs.devices?.count ?? 0;
  const slot = engine.fleet.slotOf(nodeId);
  if (count === 0 || slot === undefined) return [];
  const query = engine.query(plainRequest('', needs, 0));
  const found = engine.find(query, { slots: [slot] });
  if (found.slot < 0) return [];
  return engine.simulate(() => engine.grant(query, found).hold.units.map(heldUnit));
}

export const heldUnit = ({ device, slice, shareThousandths }: Hold['units'][number]): HeldUnit =>
  slice === undefined ? { device, shareThousandths } : { device, slice, shareThousandths };

/** What is left of a node; below zero while leases hold more than a node that shrank has. */
export function freeOf(engine: PlacementEngine, nodeId: string): { cpuMillis: number; memoryMib: number } {
  const slot = engine.fleet.slotOf(nodeId);
  if (slot === undefined) throw new Error(`the pool has no node ${nodeId}`);
  const { freeCpuMillis, freeMemoryMib } = engine.fleet.columns;
  return { cpuMillis: freeCpuMillis[slot]!, memoryMib: freeMemoryMib[slot]! };
}
