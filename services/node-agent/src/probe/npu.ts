import { readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { nothing, type Accelerator, type Finding } from './accelerator.js';

/** Where Linux lists compute accelerators that are no GPUs (Documentation/accel of the kernel). */
const ACCEL_CLASS = '/sys/class/accel';

/** Processors whose NPU works in the memory of the host, by the driver in Linux. */
const NPU_OF_DRIVER: Readonly<Record<string, readonly [vendor: string, model: string]>> = {
  intel_vpu: ['Intel', 'NPU'],
  amdxdna: ['AMD', 'XDNA NPU'],
  rocket: ['Rockchip', 'NPU'],
};

/** @param folder another one for a spec */
export async function probeNpu(folder = ACCEL_CLASS): Promise<Finding> {
  const names = await readdir(folder).catch(() => []);
  const accelerators: Accelerator[] = [];
  const problems: string[] = [];
  for (const name of names.filter(entry => /^accel\d+$/.test(entry)).sort()) {
    const driver = await linkEnd(join(folder, name, 'device', 'driver'));
    const id = await linkEnd(join(folder, name, 'device'));
    const [vendor, model] = NPU_OF_DRIVER[driver ?? ''] ?? [];
    if (id === undefined || vendor === undefined || model === undefined) {
      problems.push(
        `${name} has the driver ${driver ?? '(none)'}, whose devices are not known here: it is not offered`,
      );
      continue;
    }
    accelerators.push({
      ...({ kind: 'npu', id, vendor, model, memoryMib: undefined } as const),
      ...{ interconnect: '', slices: [], fullWatts: 0 },
    });
  }
  return names.length === 0 ? nothing : { accelerators, problems };
}

const linkEnd = async (path: string): Promise<string | undefined> =>
  basename(await readlink(path).catch(() => '')) || undefined;
