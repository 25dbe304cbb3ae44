import type { DeviceNeeds, Requirements } from '@astro/matching/engine/request';
import { codeOf, neededRuntime } from '@astro/messages/runtimes';
import type { JobSpec, TaskSpec } from '@astro/messages/scheduling';

/** The node's own price, in thousandths of it. */
export const NO_SURGE = 1_000;
/** Contents that a job's tasks share, by which nodes that hold them are preferred. */
const DATASETS_MAX = 8;

/**
 * What each task of the job needs of a node, in the engine's terms.
 * @param surgePermille the price now over the node's own, in thousandths
 */
export function needsOf(spec: JobSpec, surgePermille: number): Requirements {
  const { requirements, program, service, tasks } = spec;
  const { cpuMillis, memoryMib, diskMib, bandwidthMbps } = requirements;
  return {
    cpuMillis,
    memoryMib,
    diskMib,
    bandwidthMbps,
    devices: devicesOf(spec),
    runtime: neededRuntime(program, service?.server !== undefined),
    regions: { allowed: requirements.regions, denied: requirements.regionsDenied },
    countries: { allowed: requirements.countries, denied: requirements.countriesDenied },
    attestations: requirements.attestations,
    nodes: requirements.nodes?.nodeIds,
    isInterruptible: spec.leaseClass === 'interruptible',
    reliabilityMin: requirements.minReliabilityThousandths / 1_000,
    priceCapAtto: askCapAtto(spec, surgePermille),
    transferPriceCapAtto: requirements.maxPricePerGibTransferredAtto ?? 0n,
    datasets: [codeOf(program), ...sharedInputs(tasks)].slice(0, DATASETS_MAX),
    expectedDurationMs: expectedMs(spec),
  };
}

/** Text that is equal for jobs whose tasks can take each other's place, in any node's eyes. */
export const needsKey = (spec: JobSpec): string =>
  JSON.stringify(
    [needsOf(spec, NO_SURGE), spec.deadline, spec.leaseClass, ...(spec.bookingId ? [spec.bookingId] : [])],
    (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value),
  );

export const expectedMs = ({ expectedDurationMs, program }: JobSpec): number =>
  expectedDurationMs > 0 ? Math.min(expectedDurationMs, program.timeLimitMs) : program.timeLimitMs;

/** What a lease costs for each second: in proportion to what it holds of devices, rounded up. */
export function leasePriceAtto(spec: JobSpec, askAtto: bigint, surgePermille: number): bigint {
  const product = askAtto * heldPermille(spec) * BigInt(surgePermille);
  return (product + 999_999n) / 1_000_000n;
}

/** The dearest node whose lease is within the job's cap. */
export const askCapAtto = (spec: JobSpec, surgePermille: number): bigint =>
  (spec.requirements.maxPricePerSecondAtto * 1_000_000n) / (heldPermille(spec) * BigInt(surgePermille));

/** Thousandths of devices; a task that holds no device but the CPU counts as one. */
export function heldPermille(spec: JobSpec): bigint {
  const { count, shareThousandths } = devicesOf(spec);
  return BigInt(count === 0 ? 1_000 : count * shareThousandths);
}

/** Zero is what was recorded before devices were counted and shared: one whole device. */
function devicesOf({ requirements }: JobSpec): DeviceNeeds {
  const { deviceKind, deviceCount, deviceShareThousandths, sliceProfile } = requirements;
  if (deviceKind === 'unspecified') throw new Error('a job without a kind of device was queued');
  const { deviceVendor, deviceModel, deviceMemoryMib, isInterconnected } = requirements;
  return {
    kind: deviceKind,
    count: deviceKind === 'cpu' ? 0 : Math.max(1, deviceCount),
    shareThousandths: deviceShareThousandths === 0 ? 1_000 : deviceShareThousandths,
    profile: sliceProfile,
    vendor: deviceVendor,
    models: deviceModel === '' ? [] : [deviceModel],
    memoryMib: deviceMemoryMib,
    isInterconnected,
  };
}

function sharedInputs(tasks: readonly TaskSpec[]): readonly string[] {
  const [first, ...others] = tasks.map(({ inputs }) => new Set(inputs.map(({ cid }) => cid)));
  return [...(first ?? [])].filter(cid => others.every(cids => cids.has(cid))).sort();
}
