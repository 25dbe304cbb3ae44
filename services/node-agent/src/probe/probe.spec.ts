import { describe, expect, jest, test } from '@jest/globals';
import { InvalidConfig } from '@astro/runtime/config';
import { type Machine, probeMachine } from './machine.js';
import { parseNvidia, probeNvidia } from './nvidia.js';
import { inventoryOf } from './offer.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const machine: Machine = {
  processor: { vendor: 'AMD', model: 'EPYC 9354', cores: 4 },
  memoryMib: 8_000,
  diskFreeMib: 50_000,
  accelerators: [{ vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559 }],
  operatingSystem: 'linux',
  architecture: 'x64',
};

describe('the graphics processors', () => {
  test('are read from the tool of their maker', () => {
    expect(parseNvidia('NVIDIA H100 80GB HBM3, 81559\nTesla T4, 15360\n')).toEqual([
      { vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559 },
      { vendor: 'NVIDIA', model: 'Tesla T4', memoryMib: 15_360 },
    ]);
  });

  test.each([
    'No devices were found',
    'NVIDIA H100, [N/A]',
    'NVIDIA H100, 0',
    'NVIDIA H100, 99999999',
    'NVIDIA H100, 5000000',
    ', 81559',
    '',
  ])('are not made up from %j', line => {
    expect(parseNvidia(line)).toEqual([]);
  });

  test('are none where the tool is missing or fails', async () => {
    expect(await probeNvidia('/nonexistent/nvidia-smi')).toEqual([]);
    expect(await probeNvidia('false')).toEqual([]);
  });
});

describe('the offer', () => {
  test('is the share of the operator, on the hardware that is there', () => {
    expect(inventoryOf(machine, { OFFER_CPU_MILLIS: 4_000, OFFER_MEMORY_MIB: 2_000 })).toEqual({
      devices: [
        { kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 2_000 },
        { kind: 'gpu', vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559 },
      ],
      cpuMillis: 4_000,
      memoryMib: 2_000,
      diskMib: 50_000,
      operatingSystem: 'linux',
      architecture: 'x64',
      runtimes: ['wasm'],
    });
  });

  test('may not exceed the machine, and each excess is named', () => {
    const offer = () => inventoryOf(machine, { OFFER_CPU_MILLIS: 4_001, OFFER_MEMORY_MIB: 8_001 });
    expect(offer).toThrow(
      new InvalidConfig([
        'OFFER_CPU_MILLIS: this machine has 4000',
        'OFFER_MEMORY_MIB: this machine has 8000',
      ]),
    );
  });
});

test('this machine has a processor, memory and a disk', async () => {
  const real = await probeMachine(process.cwd());
  expect(real.processor.cores).toBeGreaterThan(0);
  expect(real.processor.model).not.toBe('');
  expect(real.memoryMib).toBeGreaterThan(256);
  expect(real.diskFreeMib).toBeGreaterThan(0);
});
