import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { arch, platform } from 'node:process';
import systeminformation from 'systeminformation';
import { plausible, type Accelerator, type Finding } from './accelerator.js';
import { probeAmd } from './amd.js';
import { probeFpga } from './fpga.js';
import { probeIntel } from './intel.js';
import { probeNpu } from './npu.js';
import { probeNvidia } from './nvidia.js';
import { runTool, type RunTool } from './tool.js';

const BYTES_PER_MIB = 1024 * 1024;
const PROBE_TIMEOUT_MS = 10_000;

export type Processor = { readonly vendor: string; readonly model: string; readonly cores: number };

/** What this machine really has, as far as this process may use it. */
export type Machine = {
  readonly processor: Processor;
  readonly memoryMib: number;
  readonly accelerators: readonly Accelerator[];
  /** What is there and cannot be offered, and why. */
  readonly problems: readonly string[];
  readonly operatingSystem: string;
  readonly architecture: string;
};

export async function probeMachine(): Promise<Machine> {
  const [cpu, { accelerators, problems }] = await Promise.all([
    inTime(systeminformation.cpu()),
    probeAccelerators(),
  ]);
  return {
    processor: {
      vendor: printable(cpu.manufacturer) || 'unknown',
      model: printable(cpu.brand) || 'unknown',
      // In a container with a share of the processors this is the share.
      cores: availableParallelism(),
    },
    memoryMib: Math.floor(memoryBytes() / BYTES_PER_MIB),
    accelerators,
    problems,
    operatingSystem: platform,
    architecture: arch,
  };
}

/** What the tools of all makers, and the kernel, know of here. A new kind of device is one more line. */
export async function probeAccelerators(run: RunTool = runTool): Promise<Finding> {
  const probes = [probeNvidia(run), probeAmd(run), probeIntel(run), probeFpga(run), probeNpu()];
  return plausible(await Promise.all(probes));
}

/** What is left on the disk that this folder is on. */
export async function diskFreeMib(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.floor((bavail * bsize) / BYTES_PER_MIB);
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
