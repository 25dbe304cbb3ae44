import type { Device, Inventory, Offer } from './gen/registry.js';
import type { JobSpec, Requirements } from './gen/scheduling.js';

/** What a job asks for that has no wishes beyond the least that it must say. */
export const plainRequirements = {
  deviceModel: '',
  deviceMemoryMib: 0,
  deviceVendor: '',
  deviceCount: 1,
  deviceShareThousandths: 1_000,
  sliceProfile: '',
  isInterconnected: false,
  diskMib: 0,
  bandwidthMbps: 0,
  regions: [],
  regionsDenied: [],
  countries: [],
  countriesDenied: [],
  minReliabilityThousandths: 0,
  attestations: [],
} as const satisfies Partial<Requirements>;

/** A job whose tasks are placed one by one, whenever there is room. */
export const plainJob = {
  leaseClass: 'on_demand',
  priority: 0,
  expectedDurationMs: 0,
  maxParallel: 0,
} as const satisfies Partial<JobSpec>;

/** A device that is neither shared nor sliced, and of whose power nothing is known. */
export const plainDevice = {
  interconnect: '',
  isShareable: false,
  slices: [],
  idleWatts: 0,
  fullWatts: 0,
} as const satisfies Partial<Device>;

export const plainInventory = { bandwidthMbps: 0 } as const satisfies Partial<Inventory>;

export const plainOffer = { fabric: '', maintenance: [] } as const satisfies Partial<Offer>;
