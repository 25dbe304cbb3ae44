import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Accelerator } from './accelerator.js';

const TIMEOUT_MS = 5_000;
const ACCELERATORS_MAX = 63;
/** More than any device has; drivers in trouble report such figures. */
const MEMORY_MAX_MIB = 1024 * 1024;

/** The GPUs that NVIDIA's own tool lists; none where the tool is missing, fails or hangs. */
export async function probeNvidia(command = 'nvidia-smi'): Promise<readonly Accelerator[]> {
  const query = ['--query-gpu=name,memory.total,uuid', '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await promisify(execFile)(command, query, { timeout: TIMEOUT_MS, maxBuffer: 65_536 });
    return parseNvidia(stdout);
  } catch {
    // Most machines have no such tool, and one whose driver is broken has no GPU to offer either.
    return [];
  }
}

/** Lines such as `NVIDIA H100 80GB HBM3, 81559, GPU-5ac0…`; a line that does not look like it is no device. */
export function parseNvidia(csv: string): readonly Accelerator[] {
  return csv
    .split('\n')
    .flatMap(line => {
      const match = /^\s*([\x20-\x2b\x2d-\x7e]{1,120}),\s*(\d{1,7}),\s*(GPU-[0-9a-f-]{36})\s*$/.exec(line);
      const [model, memoryMib, id] = [match?.[1]?.trim(), Number(match?.[2]), match?.[3]];
      if (!model || !id || !(memoryMib > 0 && memoryMib <= MEMORY_MAX_MIB)) return [];
      return [{ vendor: 'NVIDIA', model: model.replace(/^NVIDIA /, ''), memoryMib, id }];
    })
    .slice(0, ACCELERATORS_MAX);
}
