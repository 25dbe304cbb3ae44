import { offeredRuntimes } from '@astro/messages/runtimes';
import { agePattern } from '@astro/messages/encryption';
import type { Device, Inventory, MaintenanceWindow, Offer } from '@astro/messages/registry';

/**
 * What a real machine can be. An offer outside of it is a bug or a lie, and would win or distort every placement:
 * other markets list nodes with absurd device counts because nothing checks them on the way in.
 */
const MAX_DEVICES = 64;
const MAX_MEMORY_MIB = 16 * 1024 * 1024; // 16 TiB
const MAX_DISK_MIB = 4 * 1024 * 1024 * 1024 - 1; // the field is a uint32
const MAX_CPU_MILLIS = 1_024_000; // 1,024 cores
const MAX_BANDWIDTH_MBPS = 1_600_000; // two ports of 800 Gbit/s
const MAX_WATTS = 10_000;
const MAX_SLICES = 16;
/** Whole devices and slices: what the placement engine keeps of one node. */
const MAX_UNITS = 64;
const MAX_URL_LENGTH = 200;
/** Without credentials, a path or a query, so that what is asked of it is what the data plane asks. */
const CONTENT_URL = /^https?:\/\/(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/;
const MAX_WINDOWS = 32;
const MAX_PRICE_ATTO = 10n ** 24n; // a million ASTRO a second
const MAX_LABEL_LENGTH = 120;
/** Country, and up to three parts for the place within it: `de-fra`, `us-east-1`. */
const regionPattern = /^[a-z]{2}(-[a-z0-9]+){1,3}$/;
const MAX_REGION_LENGTH = 40;

/** What the platform that the registry is of allows. */
export type OfferLimits = {
  /** Whether a node may tell others to ask it there. */
  mayServeAt(contentUrl: string): boolean;
};

/** The first rule that the offer breaks, as `field: rule`; undefined when it breaks none. */
export function offerProblem(offer: Offer, { mayServeAt }: OfferLimits): string | undefined {
  if (offer.nodeId === '') return 'nodeId: must not be empty';
  if (offer.operatorId === '') return 'operatorId: must not be empty';
  if (offer.region.length > MAX_REGION_LENGTH || !regionPattern.test(offer.region)) {
    return 'region: must be a country and a place in lower case, for example de-fra or us-east-1';
  }
  if (offer.pricePerSecondAtto <= 0n || offer.pricePerSecondAtto > MAX_PRICE_ATTO) {
    return `pricePerSecondAtto: must be from 1 to ${MAX_PRICE_ATTO}`;
  }
  const { interruptiblePricePerSecondAtto: interruptible } = offer;
  if (interruptible !== undefined && (interruptible <= 0n || interruptible > offer.pricePerSecondAtto)) {
    return 'interruptiblePricePerSecondAtto: must be from 1 to pricePerSecondAtto';
  }
  const { pricePerGibTransferredAtto: perGib } = offer;
  if (perGib !== undefined && (perGib <= 0n || perGib > MAX_PRICE_ATTO)) {
    return `pricePerGibTransferredAtto: must be from 1 to ${MAX_PRICE_ATTO}, or absent`;
  }
  const { contentUrl } = offer;
  if (contentUrl !== undefined && !(contentUrl.length <= MAX_URL_LENGTH && CONTENT_URL.test(contentUrl))) {
    return `contentUrl: must be an http(s) address without a path, of at most ${MAX_URL_LENGTH} characters`;
  }
  if (contentUrl !== undefined && !mayServeAt(contentUrl))
    return 'contentUrl: must be a public address: others of a private network or a machine are not asked';
  if (offer.encryptionRecipient !== undefined && !agePattern.test(offer.encryptionRecipient))
    return 'encryptionRecipient: must be an age recipient of X25519, or absent';
  if (offer.attestationClaimed === 'unspecified') return 'attestationClaimed: must be specified, or absent';
  return optionalLabelProblem('fabric', offer.fabric) ?? maintenanceProblem(offer.maintenance);
}

function maintenanceProblem(windows: readonly MaintenanceWindow[]): string | undefined {
  if (windows.length > MAX_WINDOWS) return `maintenance: must be at most ${MAX_WINDOWS} windows`;
  return first(
    windows.map(({ from, until }, index) =>
      from < until ? undefined : `maintenance[${index}].until: must be after from`,
    ),
  );
}

/** The first rule that the inventory breaks, as `field: rule`; undefined when it breaks none. */
export function inventoryProblem(inventory: Inventory): string | undefined {
  const { devices, cpuMillis, memoryMib, diskMib } = inventory;
  if (devices.length < 1 || devices.length > MAX_DEVICES) return `devices: must be 1 to ${MAX_DEVICES}`;
  return (
    outside('cpuMillis', cpuMillis, 1, MAX_CPU_MILLIS) ??
    outside('memoryMib', memoryMib, 1, MAX_MEMORY_MIB) ??
    outside('diskMib', diskMib, 0, MAX_DISK_MIB) ??
    outside('bandwidthMbps', inventory.bandwidthMbps, 0, MAX_BANDWIDTH_MBPS) ??
    labelProblem('operatingSystem', inventory.operatingSystem) ??
    labelProblem('architecture', inventory.architecture) ??
    runtimesProblem(inventory.runtimes) ??
    first(devices.map((device, index) => deviceProblem(`devices[${index}]`, device, memoryMib))) ??
    unitsProblem(devices)
  );
}

function deviceProblem(field: string, device: Device, hostMemoryMib: number): string | undefined {
  if (device.kind === 'unspecified') return `${field}.kind: must be cpu, gpu, npu or fpga`;
  const sharesHostMemory = device.kind === 'cpu';
  return (
    labelProblem(`${field}.vendor`, device.vendor) ??
    labelProblem(`${field}.model`, device.model) ??
    outside(`${field}.memoryMib`, device.memoryMib, 1, sharesHostMemory ? hostMemoryMib : MAX_MEMORY_MIB) ??
    optionalLabelProblem(`${field}.interconnect`, device.interconnect) ??
    slicesProblem(field, device) ??
    outside(`${field}.idleWatts`, device.idleWatts, 0, MAX_WATTS) ??
    outside(`${field}.fullWatts`, device.fullWatts, device.idleWatts, MAX_WATTS)
  );
}

function slicesProblem(field: string, { kind, slices, isShareable, memoryMib }: Device): string | undefined {
  if (kind === 'cpu' && (isShareable || slices.length > 0))
    return `${field}: a cpu is held by cpuMillis, and neither shareable nor sliced`;
  if (slices.length === 0) return undefined;
  if (slices.length > MAX_SLICES) return `${field}.slices: must be at most ${MAX_SLICES}`;
  if (isShareable) return `${field}.isShareable: must be false where there are slices`;
  if (slices.reduce((sum, slice) => sum + slice.memoryMib, 0) > memoryMib)
    return `${field}.slices: must not have more memory than the device`;
  return first(
    slices.map(
      (slice, index) =>
        labelProblem(`${field}.slices[${index}].profile`, slice.profile) ??
        outside(`${field}.slices[${index}].memoryMib`, slice.memoryMib, 1, memoryMib),
    ),
  );
}

function unitsProblem(devices: readonly Device[]): string | undefined {
  const units = devices.reduce((sum, { slices }) => sum + Math.max(1, slices.length), 0);
  return units > MAX_UNITS ? `devices: must be at most ${MAX_UNITS} with their slices` : undefined;
}

function runtimesProblem(names: readonly string[]): string | undefined {
  if (names.length === 0) return 'runtimes: must name at least one';
  if (new Set(names).size < names.length) return 'runtimes: must not repeat';
  return first(names.map((name, index) => unknown(`runtimes[${index}]`, name, offeredRuntimes)));
}

function labelProblem(field: string, text: string): string | undefined {
  const isPrintable = !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);
  return text !== '' && text.length <= MAX_LABEL_LENGTH && isPrintable
    ? undefined
    : `${field}: must have 1 to ${MAX_LABEL_LENGTH} printable characters`;
}

const optionalLabelProblem = (field: string, text: string) =>
  text === '' ? undefined : labelProblem(field, text);

const outside = (field: string, value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most
    ? undefined
    : `${field}: must be from ${least} to ${most}`;

const unknown = (field: string, name: string, known: readonly string[]) =>
  known.includes(name) ? undefined : `${field}: must be one of ${known.join(', ')}`;

const first = (problems: readonly (string | undefined)[]) => problems.find(problem => problem !== undefined);
