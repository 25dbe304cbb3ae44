import { z } from 'zod';
import type { Accelerator, Finding } from './accelerator.js';
import { jsonIn, unanswered, type RunTool } from './tool.js';

const TOOL = 'xpu-smi';
const BYTES_PER_MIB = 1024 * 1024;

const device = z.object({
  device_type: z.string(),
  device_function_type: z.string().optional(),
  device_name: z.string(),
  pci_bdf_address: z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d$/),
  memory_physical_size_byte: z.union([z.string().regex(/^\d{1,20}$/), z.number()]).optional(),
});
const report = z.object({ device_list: z.array(z.unknown()) });

/** The GPUs that Intel's own tool lists. Its virtual functions are parts of what it lists already. */
export async function probeIntel(run: RunTool): Promise<Finding> {
  const answer = await run(TOOL, ['discovery', '-j']);
  if (answer.kind !== 'answered') return unanswered(TOOL, answer);
  const parsed = report.safeParse(jsonIn(answer.text));
  if (!parsed.success) return unanswered(TOOL, { kind: 'failed', reason: 'it printed no list of devices' });
  const accelerators: Accelerator[] = [];
  const problems: string[] = [];
  for (const entry of parsed.data.device_list) {
    const read = device.safeParse(entry);
    if (!read.success) {
      problems.push(`${TOOL} lists a device that it does not describe: it is not offered`);
      continue;
    }
    if (read.data.device_type !== 'GPU' || read.data.device_function_type === 'virtual') continue;
    const { pci_bdf_address: id, device_name: name, memory_physical_size_byte: bytes } = read.data;
    if (bytes === undefined)
      problems.push(`${id} (${name}) does not say how much memory it has: it is not offered`);
    else accelerators.push(gpuOf(id, name, Math.floor(Number(bytes) / BYTES_PER_MIB)));
  }
  return { accelerators, problems };
}

const gpuOf = (id: string, name: string, memoryMib: number): Accelerator => ({
  ...({
    kind: 'gpu',
    id,
    vendor: 'Intel',
    model: name.replace(/\((R|TM)\)/g, '').replace(/^Intel /, ''),
  } as const),
  ...{ memoryMib, interconnect: '', slices: [], fullWatts: 0 },
});
