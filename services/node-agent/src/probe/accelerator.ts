import type { Slice } from '@astro/messages/registry';

/** A device beside the processor, as its maker's own tool or the kernel tells it. */
export type Accelerator = {
  readonly kind: 'gpu' | 'npu' | 'fpga';
  /** Unique on this machine, and the same at each look: by it the operator names the device. */
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
  /** Undefined where it works in the memory of the host. */
  readonly memoryMib: number | undefined;
  /** Devices with the same name are joined by a fast link. Empty: none. */
  readonly interconnect: string;
  /** Fixed parts that are handed out in place of the whole. */
  readonly slices: readonly Slice[];
  /** The most that it draws; 0 where nothing tells. */
  readonly fullWatts: number;
};

/** What one look gave. A problem is a sentence for the operator: something is there and cannot be offered. */
export type Finding = { readonly accelerators: readonly Accelerator[]; readonly problems: readonly string[] };

export const nothing: Finding = { accelerators: [], problems: [] };

/** Of more devices than this no machine has been seen: a driver in trouble lists them. One unit is the processor. */
const ACCELERATORS_MAX = 63;
const MEMORY_MAX_MIB = 1024 * 1024;
const WATTS_MAX = 5_000;
const LABEL_MAX = 120;

/**
 * What can be true of all that the probes found. Figures that no device has come from drivers in trouble; a node that
 * offers them wins placements that it cannot serve.
 */
export function plausible(findings: readonly Finding[]): Finding {
  const found = findings.flatMap(({ accelerators }) => accelerators);
  const problems = findings.flatMap(finding => finding.problems);
  if (found.length > ACCELERATORS_MAX) {
    const excess = `${found.length} devices were found, and a node has at most ${ACCELERATORS_MAX}: none is offered`;
    return { accelerators: [], problems: [...problems, excess] };
  }
  const accelerators: Accelerator[] = [];
  const ids = new Set<string>();
  for (const accelerator of found) {
    const doubt = doubtAbout(accelerator) ?? (ids.has(accelerator.id) ? 'is listed twice' : undefined);
    ids.add(accelerator.id);
    if (doubt === undefined) accelerators.push(accelerator);
    else problems.push(`${accelerator.id} (${accelerator.model}) ${doubt}: it is not offered`);
  }
  return { accelerators, problems };
}

function doubtAbout({ vendor, model, memoryMib, slices, fullWatts }: Accelerator): string | undefined {
  const labels = [vendor, model, ...slices.map(({ profile }) => profile)];
  if (labels.some(label => !/^[\x20-\x7e]+$/.test(label) || label.length > LABEL_MAX))
    return `has a name that is empty, too long or not printable`;
  if (memoryMib !== undefined && !isWithin(memoryMib, 1, MEMORY_MAX_MIB))
    return `says that it has ${memoryMib} MiB, and must have 1 to ${MEMORY_MAX_MIB}`;
  if (!isWithin(fullWatts, 0, WATTS_MAX))
    return `says that it draws ${fullWatts} W, and may draw ${WATTS_MAX}`;
  const slicedMib = slices.reduce((sum, slice) => sum + slice.memoryMib, 0);
  if (slicedMib > (memoryMib ?? 0)) return `says that its slices have ${slicedMib} MiB, more than itself`;
  return undefined;
}

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
