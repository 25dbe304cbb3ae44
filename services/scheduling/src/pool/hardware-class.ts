import type { JobSpec, Result } from '@astro/messages/scheduling';
import type { Pool } from './pool-state.js';

/**
 * What a node runs a job's tasks on, as its offer names it: kind, vendor and model of the device, and the architecture.
 * Results of one class should be alike to the bit. Nothing when the node has left the pool.
 */
export function hardwareClassOf(
  pool: Pool,
  nodeId: string,
  { requirements }: JobSpec,
): Pick<Result, 'hardwareClass'> {
  const inventory = pool.nodes.get(nodeId)?.offer.inventory;
  const device = inventory?.devices.find(({ kind }) => kind === requirements.deviceKind);
  if (!inventory || !device) return {};
  return { hardwareClass: [device.kind, device.vendor, device.model, inventory.architecture].join('/') };
}
