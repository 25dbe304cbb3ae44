import type { Device, Inventory, Offer } from '@astro/messages/registry';

/**
 * What a real machine can be. An offer outside of it is a bug or a lie, and would win or distort every placement:
 * other markets list nodes with absurd device counts because nothing checks them on the way in.
 */
const MAX_DEVICES = 64;
const MAX_MEMORY_MIB = 16 * 1024 * 1024; // 16 TiB
const MAX_DISK_MIB = 4 * 1024 * 1024 * 1024 - 1; // the field is a uint32
const MAX_CPU_MILLIS = 1_024_000; // 1,024 cores
const MAX_PRICE_ATTO = 10n ** 24n; // a million ASTRO a second
const MAX_LABEL_LENGTH = 120;
/** Country, and up to three parts for the place within it: `de-fra`, `us-east-1`. */
const regionPattern = /^[a-z]{2}(-[a-z0-9]+){1,3}$/;
const MAX_REGION_LENGTH = 40;
/** Runtimes that a job can ask for. */
const runtimes: readonly string[] = ['wasm'];

/** The first rule that the offer breaks, as `field: rule`; undefined when it breaks none. */
export function offerProblem(offer: Offer): string | undefined {
  if (offer.nodeId === '') return 'nodeId: must not be empty';
  if (offer.operatorId === '') return 'operatorId: must not be empty';
  if (offer.region.length > MAX_REGION_LENGTH || !regionPattern.test(offer.region)) {
    return 'region: must be a country and a place in lower case, for example de-fra or us-east-1';
  }
  if (offer.pricePerSecondAtto <= 0n || offer.pricePerSecondAtto > MAX_PRICE_ATTO) {
    return `pricePerSecondAtto: must be from 1 to ${MAX_PRICE_ATTO}`;
  }
  return undefined;
}

/** The first rule that the inventory breaks, as `field: rule`; undefined when it breaks none. */
export function inventoryProblem(inventory: Inventory): string | undefined {
  const { devices, cpuMillis, memoryMib, diskMib } = inventory;
  if (devices.length < 1 || devices.length > MAX_DEVICES) return `devices: must be 1 to ${MAX_DEVICES}`;
  return (
    outside('cpuMillis', cpuMillis, 1, MAX_CPU_MILLIS) ??
    outside('memoryMib', memoryMib, 1, MAX_MEMORY_MIB) ??
    outside('diskMib', diskMib, 0, MAX_DISK_MIB) ??
    labelProblem('operatingSystem', inventory.operatingSystem) ??
    labelProblem('architecture', inventory.architecture) ??
    runtimesProblem(inventory.runtimes) ??
    first(devices.map((device, index) => deviceProblem(`devices[${index}]`, device, memoryMib)))
  );
}

function deviceProblem(field: string, device: Device, hostMemoryMib: number): string | undefined {
  if (device.kind === 'unspecified') return `${field}.kind: must be cpu, gpu, npu or fpga`;
  const sharesHostMemory = device.kind === 'cpu';
  return (
    labelProblem(`${field}.vendor`, device.vendor) ??
    labelProblem(`${field}.model`, device.model) ??
    outside(`${field}.memoryMib`, device.memoryMib, 1, sharesHostMemory ? hostMemoryMib : MAX_MEMORY_MIB)
  );
}

function runtimesProblem(names: readonly string[]): string | undefined {
  if (names.length === 0) return 'runtimes: must name at least one';
  if (new Set(names).size < names.length) return 'runtimes: must not repeat';
  return first(names.map((name, index) => unknown(`runtimes[${index}]`, name, runtimes)));
}

function labelProblem(field: string, text: string): string | undefined {
  const isPrintable = !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);
  return text !== '' && text.length <= MAX_LABEL_LENGTH && isPrintable
    ? undefined
    : `${field}: must have 1 to ${MAX_LABEL_LENGTH} printable characters`;
}

const outside = (field: string, value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most
    ? undefined
    : `${field}: must be from ${least} to ${most}`;

const unknown = (field: string, name: string, known: readonly string[]) =>
  known.includes(name) ? undefined : `${field}: must be one of ${known.join(', ')}`;

const first = (problems: readonly (string | undefined)[]) => problems.find(problem => problem !== undefined);
