import type { Capacity, Device, FreeCapacity, NodeSnapshot, Requirements } from './node.js';

/** What one replica holds of a node until its lease ends. */
export type Hold = {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** Index of the device that is held whole; absent where the device is the CPU, which is shared. */
  readonly device?: number;
};

export const whollyFree = ({ cpuMillis, memoryMib, devices }: Capacity): FreeCapacity => ({
  cpuMillis,
  memoryMib,
  devices: devices.flatMap(({ kind }, index) => (isShared(kind) ? [] : [index])),
});

/** A CPU is shared by thousandths of a core; every other device is held whole by one replica. */
const isShared = (deviceKind: string) => deviceKind === 'cpu';

export const deviceSuits = (device: Device, needs: Requirements): boolean =>
  device.kind === needs.deviceKind &&
  (needs.deviceModel === '' || device.model === needs.deviceModel) &&
  device.memoryMib >= needs.deviceMemoryMib;

/**
 * What a replica would hold of the node now, or nothing when it does not fit. The same inputs give the same
 * device: the smallest that suits, so that larger ones stay free; the first of equal ones.
 */
export function holdFor(
  needs: Requirements,
  { total, free }: Pick<NodeSnapshot, 'total' | 'free'>,
): Hold | undefined {
  if (needs.cpuMillis > free.cpuMillis || needs.memoryMib > free.memoryMib) return undefined;
  const { cpuMillis, memoryMib } = needs;
  if (isShared(needs.deviceKind)) return { cpuMillis, memoryMib };
  let chosen: number | undefined;
  for (const index of free.devices) {
    const device = total.devices[index];
    if (!device || !deviceSuits(device, needs)) continue;
    if (chosen === undefined || device.memoryMib < total.devices[chosen]!.memoryMib) chosen = index;
  }
  return chosen === undefined ? undefined : { cpuMillis, memoryMib, device: chosen };
}

export const take = (free: FreeCapacity, hold: Hold): FreeCapacity => ({
  cpuMillis: free.cpuMillis - hold.cpuMillis,
  memoryMib: free.memoryMib - hold.memoryMib,
  devices: hold.device === undefined ? free.devices : free.devices.filter(index => index !== hold.device),
});

export const giveBack = (free: FreeCapacity, hold: Hold): FreeCapacity => ({
  cpuMillis: free.cpuMillis + hold.cpuMillis,
  memoryMib: free.memoryMib + hold.memoryMib,
  devices:
    hold.device === undefined || free.devices.includes(hold.device)
      ? free.devices
      : [...free.devices, hold.device].sort((a, b) => a - b),
});
