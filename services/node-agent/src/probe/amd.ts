import { z } from 'zod';
import type { Accelerator, Finding } from './accelerator.js';
import { linkedGroups } from './linked-groups.js';
import { jsonIn, unanswered, type RunTool } from './tool.js';

const TOOL = 'rocm-smi';
const WANTED = [
  '--showproductname',
  '--showmeminfo',
  'vram',
  '--showmaxpower',
  '--showbus',
  '--showtopotype',
];
const BYTES_PER_MIB = 1024 * 1024;

/** The capitals of these names differ between ROCm 5 and 6. */
const card = z.object({
  'PCI Bus': z.string().regex(/^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d$/),
  'VRAM Total Memory (B)': z.string().regex(/^\d{1,20}$/),
  'Card Series': z.string().optional(),
  'Card series': z.string().optional(),
  'Max Graphics Package Power (W)': z.string().optional(),
});
const report = z.record(z.string(), z.record(z.string(), z.unknown()));

/** The GPUs that AMD's own tool lists, and which XGMI joins. */
export async function probeAmd(run: RunTool): Promise<Finding> {
  const answer = await run(TOOL, [...WANTED, '--json']);
  if (answer.kind !== 'answered') return unanswered(TOOL, answer);
  const parsed = report.safeParse(jsonIn(answer.text));
  if (!parsed.success) return unanswered(TOOL, { kind: 'failed', reason: 'it printed no list of devices' });
  const { system = {}, ...cards } = parsed.data;
  const names = Object.keys(cards).filter(name => /^card\d+$/.test(name));
  const groupOf = linkedGroups(names.length, linksIn(system));
  const accelerators: Accelerator[] = [];
  const problems: string[] = [];
  for (const [index, name] of names.entries()) {
    const read = card.safeParse(cards[name]);
    const group = groupOf(index);
    if (read.success) accelerators.push(gpuIn(read.data, group === undefined ? '' : `xgmi-${group}`));
    else problems.push(`${TOOL} does not tell the memory and bus address of ${name}: it is not offered`);
  }
  return { accelerators, problems };
}

function gpuIn(read: z.infer<typeof card>, interconnect: string): Accelerator {
  const series = read['Card Series'] ?? read['Card series'] ?? '';
  const watts = Number(read['Max Graphics Package Power (W)']);
  return {
    ...({ kind: 'gpu', id: read['PCI Bus'].toLowerCase(), vendor: 'AMD' } as const),
    // `Arcturus GL-XL [Instinct MI100]`: the chip, and in brackets the name that it is sold by.
    model: (/\[([^\]]+)\]/.exec(series)?.[1] ?? series).replace(/^AMD /, '').trim(),
    memoryMib: Math.floor(Number(read['VRAM Total Memory (B)']) / BYTES_PER_MIB),
    ...{ interconnect, slices: [] },
    fullWatts: Number.isFinite(watts) ? Math.round(watts) : 0,
  };
}

/** `(Topology) Link type between DRM devices 0 and 1`: `XGMI`, or `PCIE`. */
const linksIn = (system: Readonly<Record<string, unknown>>): readonly (readonly [number, number])[] =>
  Object.entries(system).flatMap(([key, value]) => {
    const [, left, right] = /Link type between DRM devices (\d+) and (\d+)$/.exec(key) ?? [];
    return left !== undefined && value === 'XGMI' ? [[Number(left), Number(right)] as const] : [];
  });
