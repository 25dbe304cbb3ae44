import type { Accelerator, Finding } from './accelerator.js';
import { linkedGroups } from './linked-groups.js';
import { unanswered, type RunTool } from './tool.js';

const TOOL = 'nvidia-smi';
const FIELDS = 'index,uuid,name,memory.total,power.limit,mig.mode.current';
/** Systems on a chip whose GPU works in the memory of the host: their driver tells none of its own. */
const UNIFIED_MEMORY = /\b(GB10|Orin|Thor)\b/;
/** The gigabyte of MIG's profiles: what a profile is named by, its instance has at least. */
const BYTES_PER_GB = 10 ** 9;
const BYTES_PER_MIB = 1024 * 1024;

/** `index` is the tool's own number of it, which its other lists use too. */
type Gpu = { readonly index: number; readonly accelerator: Accelerator; readonly isMig: boolean };

/** The GPUs that NVIDIA's own tool lists, with their MIG instances and which NVLink joins. */
export async function probeNvidia(run: RunTool): Promise<Finding> {
  const answer = await run(TOOL, [`--query-gpu=${FIELDS}`, '--format=csv,noheader,nounits']);
  if (answer.kind !== 'answered') return unanswered(TOOL, answer);
  const { gpus, problems } = parseGpus(answer.text);
  const instances = gpus.some(({ isMig }) => isMig) ? await run(TOOL, ['-L']) : undefined;
  const topology = gpus.length > 1 ? await run(TOOL, ['topo', '-m']) : undefined;
  const slicesOf = instances?.kind === 'answered' ? parseInstances(instances.text) : new Map<string, never>();
  const links = topology?.kind === 'answered' ? parseLinks(topology.text) : [];
  const groupOf = linkedGroups(Math.max(0, ...gpus.map(({ index }) => index + 1)), links);
  const accelerators = gpus.map(({ index, accelerator, isMig }) => {
    const slices = isMig ? (slicesOf.get(accelerator.id) ?? []) : [];
    const group = groupOf(index);
    return { ...accelerator, slices, interconnect: group === undefined ? '' : `nvlink-${group}` };
  });
  // A GPU in MIG mode runs nothing outside of an instance: as a whole it is of no use.
  const usable = accelerators.filter(({ slices }, index) => !gpus[index]!.isMig || slices.length > 0);
  const idle = accelerators.filter(accelerator => !usable.includes(accelerator));
  return {
    accelerators: usable,
    problems: [
      ...problems,
      ...idle.map(({ id }) => `${id} is in MIG mode without instances: create some, or turn the mode off`),
    ],
  };
}

/** Lines such as `0, GPU-5d…, NVIDIA H200, 143771, 700.00, Disabled`; what the driver does not know is `[N/A]`. */
function parseGpus(csv: string): { readonly gpus: readonly Gpu[]; readonly problems: readonly string[] } {
  const gpus: Gpu[] = [];
  const problems: string[] = [];
  for (const line of csv.split('\n').filter(text => text.trim() !== '')) {
    const [index = '', id = '', name = '', memoryMib = '', watts = '', mig = '', ...more] =
      line.split(/,\s*/);
    if (!/^\d{1,3}$/.test(index.trim()) || !/^GPU-[0-9a-f-]{36}$/.test(id) || mig === '' || more.length > 0) {
      problems.push(`${TOOL} lists no GPU here: ${line.replace(/[^\x20-\x7e]/g, '').slice(0, 80)}`);
      continue;
    }
    const sharesHostMemory = memoryMib === '[N/A]' && UNIFIED_MEMORY.test(name);
    if (!sharesHostMemory && !/^\d+$/.test(memoryMib)) {
      problems.push(`${id} (${name}) does not say how much memory it has (${memoryMib}): it is not offered`);
      continue;
    }
    const accelerator = {
      ...({ kind: 'gpu', id, vendor: 'NVIDIA', model: name.replace(/^NVIDIA /, '') } as const),
      ...{ memoryMib: sharesHostMemory ? undefined : Number(memoryMib), interconnect: '', slices: [] },
      fullWatts: /^\d+(\.\d+)?$/.test(watts) ? Math.round(Number(watts)) : 0,
    };
    gpus.push({ index: Number(index), accelerator, isMig: mig.trim() === 'Enabled' });
  }
  return { gpus, problems };
}

/** `nvidia-smi -L`: below each GPU its instances, such as `MIG 1g.10gb     Device  0: (UUID: MIG-…)`. */
function parseInstances(list: string): ReadonlyMap<string, Accelerator['slices']> {
  const slicesOf = new Map<string, Accelerator['slices'][number][]>();
  let slices: Accelerator['slices'][number][] | undefined;
  for (const line of list.split('\n')) {
    const gpu = /^GPU \d+:.*\(UUID: (GPU-[0-9a-f-]+)\)/.exec(line)?.[1];
    if (gpu !== undefined) slicesOf.set(gpu, (slices = []));
    const [, profile, gigabytes] = /^\s+MIG ((?:\d+c\.)?\d+g\.(\d+)gb\S*)\s+Device/.exec(line) ?? [];
    if (profile === undefined || slices === undefined) continue;
    slices.push({ profile, memoryMib: Math.floor((Number(gigabytes) * BYTES_PER_GB) / BYTES_PER_MIB) });
  }
  return slicesOf;
}

/** `nvidia-smi topo -m`: a matrix in which `NV18` says that eighteen NVLinks join two GPUs. */
function parseLinks(matrix: string): readonly (readonly [number, number])[] {
  return matrix.split('\n').flatMap(line => {
    const [row = '', ...cells] = line.split('\t').map(cell => cell.trim());
    const from = /^GPU(\d+)$/.exec(row)?.[1];
    if (from === undefined) return [];
    return cells.flatMap((cell, to) => (/^NV\d+$/.test(cell) ? [[Number(from), to] as const] : []));
  });
}
