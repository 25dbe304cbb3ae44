import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { plausible, type Accelerator, type Finding } from './accelerator.js';
import { probeAmd } from './amd.js';
import { probeFpga } from './fpga.js';
import { probeIntel } from './intel.js';
import { linkedGroups } from './linked-groups.js';
import { probeNpu } from './npu.js';
import { probeNvidia } from './nvidia.js';
import { runTool, type RunTool, type ToolAnswer } from './tool.js';

const recorded = async (name: string): Promise<ToolAnswer> => ({
  kind: 'answered',
  text: await readFile(new URL(`../../testdata/devices/${name}`, import.meta.url), 'utf8'),
});

/** A machine whose tools answer so; by the first argument that is told apart, and every other tool is missing. */
const machineWith =
  (answers: Readonly<Record<string, ToolAnswer>>): RunTool =>
  async (command, [first = '']) =>
    answers[`${command} ${first.split('=')[0]}`] ?? answers[command] ?? { kind: 'missing' };

const said = (text: string): ToolAnswer => ({ kind: 'answered', text });
const gpu = {
  ...{ kind: 'gpu', id: 'a', vendor: 'NVIDIA', model: 'H200', memoryMib: 143_771 },
  ...{ interconnect: '', slices: [], fullWatts: 700 },
} as const satisfies Accelerator;

describe('NVIDIA', () => {
  test('eight GPUs that NVLink joins are one group', async () => {
    const { accelerators, problems } = await probeNvidia(
      machineWith({
        'nvidia-smi --query-gpu': await recorded('nvidia-smi-query-h200x8.txt'),
        'nvidia-smi topo': await recorded('nvidia-smi-topo-h200x8.txt'),
      }),
    );
    expect(problems).toEqual([]);
    expect(accelerators).toHaveLength(8);
    expect(new Set(accelerators.map(({ interconnect }) => interconnect))).toEqual(new Set(['nvlink-0']));
    expect(accelerators[3]).toMatchObject({ model: 'H200', memoryMib: 143_771, fullWatts: 700, slices: [] });
  });

  test('MIG instances are slices of their GPU, with the memory that their profile has at least', async () => {
    const query = [
      '0, GPU-9c73eb7b-8d6d-6c0e-dc13-97873e2ede40, NVIDIA A100-SXM4-80GB, 81920, 400.00, Enabled',
      '1, GPU-c92e2d5d-4a69-f1cd-4df0-305f8606705a, NVIDIA A100-SXM4-80GB, 81920, 400.00, Disabled',
    ].join('\n');
    const run = machineWith({
      'nvidia-smi --query-gpu': said(query),
      'nvidia-smi -L': await recorded('nvidia-smi-list-mig.txt'),
    });
    const { accelerators } = await probeNvidia(run);
    const slice = { profile: '1g.10gb', memoryMib: 9_536 };
    expect(accelerators.map(({ slices }) => slices)).toEqual([[slice, slice], []]);
  });

  test('a GPU in MIG mode without instances is of no use, and the operator is told', async () => {
    const line = '0, GPU-9c73eb7b-8d6d-6c0e-dc13-97873e2ede40, NVIDIA A100-SXM4-80GB, 81920, 400.00, Enabled';
    const { accelerators, problems } = await probeNvidia(
      machineWith({ 'nvidia-smi --query-gpu': said(line) }),
    );
    expect(accelerators).toEqual([]);
    expect(problems).toEqual([expect.stringContaining('MIG mode without instances')]);
  });

  test('a GPU that works in the memory of the host says so; any other one must tell its memory', async () => {
    const id = 'GPU-9c73eb7b-8d6d-6c0e-dc13-97873e2ede40';
    const of = async (name: string) =>
      probeNvidia(machineWith({ 'nvidia-smi': said(`0, ${id}, ${name}, [N/A], [N/A], [N/A]`) }));
    expect(await of('NVIDIA GB10')).toMatchObject({ accelerators: [{ memoryMib: undefined, fullWatts: 0 }] });
    expect(await of('NVIDIA H100')).toEqual({
      accelerators: [],
      problems: [`${id} (NVIDIA H100) does not say how much memory it has ([N/A]): it is not offered`],
    });
  });

  test.each(['No devices were found', 'NVIDIA H100, 81559', '0, GPU-1, x, 1, 1, Disabled', 'x'.repeat(300)])(
    'no GPU is made up from %j',
    async text => {
      const { accelerators, problems } = await probeNvidia(machineWith({ 'nvidia-smi': said(text) }));
      expect(accelerators).toEqual([]);
      expect(problems).toEqual([expect.stringContaining('nvidia-smi lists no GPU here')]);
    },
  );

  test('a driver in trouble is told with its own words', async () => {
    const reason = 'Failed to initialize NVML: Driver/library version mismatch';
    const { problems } = await probeNvidia(machineWith({ 'nvidia-smi': { kind: 'failed', reason } }));
    expect(problems).toEqual([`nvidia-smi failed: ${reason}`]);
  });
});

describe('AMD', () => {
  test('four GPUs on PCI Express are no group, and have the name that they are sold by', async () => {
    const { accelerators, problems } = await probeAmd(
      machineWith({ 'rocm-smi': await recorded('rocm-smi-mi100x4.txt') }),
    );
    expect(problems).toEqual([]);
    expect(accelerators.map(({ id, interconnect }) => [id, interconnect])).toEqual([
      ['0000:83:00.0', ''],
      ['0000:a3:00.0', ''],
      ['0000:c3:00.0', ''],
      ['0000:e3:00.0', ''],
    ]);
    expect(accelerators[0]).toMatchObject({ model: 'Instinct MI100', memoryMib: 32_752, fullWatts: 290 });
  });

  test('those that XGMI joins are one', async () => {
    const { kind, text } = (await recorded('rocm-smi-mi100x4.txt')) as { kind: 'answered'; text: string };
    const linked = text
      .replace('devices 0 and 1": "PCIE"', 'devices 0 and 1": "XGMI"')
      .replace('devices 2 and 3": "PCIE"', 'devices 2 and 3": "XGMI"');
    const { accelerators } = await probeAmd(machineWith({ 'rocm-smi': { kind, text: linked } }));
    expect(accelerators.map(({ interconnect }) => interconnect)).toEqual([
      'xgmi-0',
      'xgmi-0',
      'xgmi-2',
      'xgmi-2',
    ]);
  });

  test('what the tool warns of before its list does not matter, nor do its capitals', async () => {
    const { text } = (await recorded('rocm-smi-rx6700xt.txt')) as { text: string };
    const warned = `WARNING: AMD GPU device(s) is/are in a low-power state.\n${text}`;
    expect((await probeAmd(machineWith({ 'rocm-smi': said(warned) }))).accelerators).toMatchObject([
      { model: 'Radeon RX 6700/6700 XT / 6800M', memoryMib: 12_272, fullWatts: 211 },
    ]);
  });

  test('a card that does not tell its memory is not offered, and what is no list is none', async () => {
    const { problems } = await probeAmd(machineWith({ 'rocm-smi': said('{"card0":{"PCI Bus":"N/A"}}') }));
    expect(problems).toEqual([
      'rocm-smi does not tell the memory and bus address of card0: it is not offered',
    ]);
    const broken = await probeAmd(machineWith({ 'rocm-smi': said('{"card0":') }));
    expect(broken.problems).toEqual(['rocm-smi failed: it printed no list of devices']);
  });
});

test('of Intel the physical GPUs are found, whichever way their memory is written', async () => {
  const run = machineWith({ 'xpu-smi': await recorded('xpu-smi-discovery.txt') });
  expect(await probeIntel(run)).toMatchObject({
    accelerators: [
      { id: '0000:03:00.0', vendor: 'Intel', model: 'Arc A770 Graphics', memoryMib: 16_310 },
      { id: '0000:04:00.0', vendor: 'Intel', model: 'Arc A580 Graphics', memoryMib: 8_192 },
    ],
    problems: [],
  });
});

test('Alveo cards are found by either name of the tool; a board of unknown memory is not offered', async () => {
  const answer = await recorded('xbutil-examine.txt');
  for (const tool of ['xrt-smi', 'xbutil'])
    expect(await probeFpga(machineWith({ [tool]: answer }))).toMatchObject({
      accelerators: [
        { kind: 'fpga', id: '0000:b3:00.1', model: 'Alveo U200', memoryMib: 65_536 },
        { kind: 'fpga', id: '0000:65:00.1', model: 'Alveo U50', memoryMib: 8_192 },
      ],
      problems: [],
    });
  const unknown = said('[0000:65:00.1] : xilinx_u999_gen3x16_base_1');
  expect(await probeFpga(machineWith({ xbutil: unknown }))).toMatchObject({ accelerators: [] });
});

test('NPUs are found where Linux lists accelerators, by their drivers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'astro-accel-'));
  for (const [name, driver] of [
    ['accel0', 'intel_vpu'],
    ['accel1', 'strange'],
  ] as const) {
    const device = join(folder, `devices/0000:00:0b.${name.at(-1)}`);
    await mkdir(join(folder, name), { recursive: true });
    await mkdir(device, { recursive: true });
    await mkdir(join(folder, 'drivers', driver), { recursive: true });
    await symlink(join(folder, 'drivers', driver), join(device, 'driver'));
    await symlink(device, join(folder, name, 'device'));
  }
  expect(await probeNpu(folder)).toMatchObject({
    accelerators: [{ kind: 'npu', id: '0000:00:0b.0', vendor: 'Intel', memoryMib: undefined }],
    problems: ['accel1 has the driver strange, whose devices are not known here: it is not offered'],
  });
  expect(await probeNpu(join(folder, 'none'))).toEqual({ accelerators: [], problems: [] });
});

describe('what no device has', () => {
  test.each<[string, Partial<Accelerator>, string]>([
    ['no memory', { memoryMib: 0 }, 'must have 1 to'],
    ['2^64-1 MiB', { memoryMib: 2 ** 64 - 1 }, 'must have 1 to'],
    ['half a MiB', { memoryMib: 0.5 }, 'must have 1 to'],
    ['a megawatt', { fullWatts: 1_000_000 }, 'may draw'],
    ['no name', { model: '' }, 'has a name'],
    ['a name with a control character', { model: 'H\u0007' }, 'has a name'],
    ['slices of more than it has', { slices: [{ profile: '7g.80gb', memoryMib: 143_772 }] }, 'slices'],
  ])('is refused: %s', (_, change, reason) => {
    const { accelerators, problems } = plausible([{ accelerators: [{ ...gpu, ...change }], problems: [] }]);
    expect(accelerators).toEqual([]);
    expect(problems).toEqual([expect.stringContaining(reason)]);
  });

  test('a device that is listed twice is offered once', () => {
    const { accelerators, problems } = plausible([{ accelerators: [gpu, gpu], problems: [] }]);
    expect([accelerators.length, problems.length]).toEqual([1, 1]);
  });

  test('a list of more devices than a machine can have is believed in nothing', () => {
    const many = Array.from({ length: 64 }, (_, index) => ({ ...gpu, id: String(index) }));
    expect(plausible([{ accelerators: many, problems: [] }])).toEqual({
      accelerators: [],
      problems: [expect.stringContaining('64 devices were found')],
    });
  });
});

test('whatever a tool prints is either a plausible device or a problem, and never a crash', async () => {
  const probes: ((run: RunTool) => Promise<Finding>)[] = [probeNvidia, probeAmd, probeIntel, probeFpga];
  const samples = await Promise.all(
    [
      'nvidia-smi-query-h200x8.txt',
      'rocm-smi-mi100x4.txt',
      'xpu-smi-discovery.txt',
      'xbutil-examine.txt',
    ].map(recorded),
  );
  const cut = fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 4_000 }), fc.string({ maxLength: 20 }));
  await fc.assert(
    fc.asyncProperty(cut, async ([index, at, noise]) => {
      const sample = samples[index]!;
      const text = sample.kind === 'answered' ? sample.text : '';
      const broken = said(text.slice(0, at) + noise + text.slice(at + noise.length));
      const { accelerators } = plausible([await probes[index]!(async () => broken)]);
      for (const { model, memoryMib } of accelerators) {
        expect(model).toMatch(/^[\x20-\x7e]{1,120}$/);
        expect(memoryMib).toBeGreaterThan(0);
      }
    }),
  );
});

test('links join devices over others, and leave alone what nothing joins', () => {
  const groupOf = linkedGroups(5, [
    [3, 1],
    [1, 2],
    [4, 9],
    [0, 0],
  ]);
  expect([0, 1, 2, 3, 4].map(groupOf)).toEqual([undefined, 1, 1, 1, undefined]);
});

describe('a tool of this machine', () => {
  const script = async (text: string): Promise<string> => {
    const file = join(await mkdtemp(join(tmpdir(), 'astro-tool-')), 'tool');
    await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  };

  test('answers with what it prints', async () => {
    expect(await runTool(await script('echo "$1"'), ['hello'])).toEqual({
      kind: 'answered',
      text: 'hello\n',
    });
  });

  test('may be missing', async () => {
    expect(await runTool('/nonexistent/tool', [])).toEqual({ kind: 'missing' });
  });

  test('that fails is told with the first line that it printed', async () => {
    expect(await runTool(await script('echo "no driver" >&2; exit 9'), [])).toEqual({
      kind: 'failed',
      reason: 'no driver',
    });
  });

  test('that hangs is ended', async () => {
    const answer = await runTool(await script('exec sleep 600'), []);
    expect(answer).toEqual({ kind: 'failed', reason: expect.stringContaining('did not answer within') });
  }, 30_000);
});
