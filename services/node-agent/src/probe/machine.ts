import { availableParallelism, totalmem } from 'node:os';
import { arch, platform } from 'node:process';
import systeminformation from 'systeminformation';
import { probeNvidia } from './nvidia.js';

const BYTES_PER_MIB = 1024 * 1024;
const PROBE_TIMEOUT_MS = 10_000;

export type Processor = { readonly vendor: string; readonly model: string; readonly cores: number };
export type Accelerator = { readonly vendor: string; readonly model: string; readonly memoryMib: number };

/** What this machine really has, as far as this process may use it. */
export type Machine = {
  readonly processor: Processor;
  readonly memoryMib: number;
  readonly diskFreeMib: number;
  readonly accelerators: readonly Accelerator[];
  readonly operatingSystem: string;
  readonly architecture: string;
};

/** @param folder the disk that counts is the one this folder is on */
export async function probeMachine(folder: string): Promise<Machine> {
  const [cpu, disks, accelerators] = await Promise.all([
    inTime(systeminformation.cpu()),
    inTime(systeminformation.fsSize()),
    probeNvidia(),
  ]);
  const disk = disks
    .filter(({ mount }) => folder === mount || folder.startsWith(mount.endsWith('/') ? mount : `${mount}/`))
    .sort((left, right) => right.mount.length - left.mount.length)[0];
  return {
    processor: {
      vendor: printable(cpu.manufacturer) || 'unknown',
      model: printable(cpu.brand) || 'unknown',
      // In a container with a share of the processors this is the share.
      cores: availableParallelism(),
    },
    memoryMib: Math.floor(memoryBytes() / BYTES_PER_MIB),
    diskFreeMib: Math.floor((disk?.available ?? 0) / BYTES_PER_MIB),
    accelerators,
    operatingSystem: platform,
    architecture: arch,
  };
}

/** A control group may allow less than the machine has; without one it answers 0 or an absurd number. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

const printable = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, 120);

async function inTime<T>(probe: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the probe of the hardware hangs')), PROBE_TIMEOUT_MS);
  return Promise.race([probe, promise]).finally(() => clearTimeout(timer));
}
