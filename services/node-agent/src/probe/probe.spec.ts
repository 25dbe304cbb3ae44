import { describe, expect, jest, test } from '@jest/globals';
import { InvalidConfig, readConfig } from '@astro/runtime/config';
import { diskFreeMib, type Machine, probeMachine } from './machine.js';
import { parseNvidia, probeNvidia } from './nvidia.js';
import { configOn, inventoryOf } from './offer.js';
import { plainDevice, plainInventory } from '@astro/messages/unconstrained';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const idOf = (last: number) => `GPU-5ac0a1f4-0a4e-4f0c-9a53-6f2c9f9f0b1${last}`;
const machine: Machine = {
  processor: { vendor: 'AMD', model: 'EPYC 9354', cores: 4 },
  memoryMib: 8_000,
  accelerators: [{ vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559, id: idOf(1) }],
  operatingSystem: 'linux',
  architecture: 'x64',
};

describe('the graphics processors', () => {
  test('are read from the tool of their maker', () => {
    expect(parseNvidia(`NVIDIA H100 80GB HBM3, 81559, ${idOf(1)}\nTesla T4, 15360, ${idOf(2)}\n`)).toEqual([
      { vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559, id: idOf(1) },
      { vendor: 'NVIDIA', model: 'Tesla T4', memoryMib: 15_360, id: idOf(2) },
    ]);
  });

  test.each([
    'No devices were found',
    `NVIDIA H100, [N/A], ${idOf(1)}`,
    `NVIDIA H100, 0, ${idOf(1)}`,
    `NVIDIA H100, 99999999, ${idOf(1)}`,
    `NVIDIA H100, 5000000, ${idOf(1)}`,
    `, 81559, ${idOf(1)}`,
    'NVIDIA H100, 81559',
    'NVIDIA H100, 81559, [N/A]',
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
    expect(
      inventoryOf(machine, { OFFER_CPU_MILLIS: 4_000, OFFER_MEMORY_MIB: 2_000 }, 50_000, ['wasm']),
    ).toEqual({
      devices: [
        { kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 2_000, ...plainDevice },
        { kind: 'gpu', vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559, ...plainDevice },
      ],
      cpuMillis: 4_000,
      memoryMib: 2_000,
      diskMib: 50_000,
      operatingSystem: 'linux',
      architecture: 'x64',
      runtimes: ['wasm'],
      ...plainInventory,
    });
  });

  const environment = {
    HTTP_PORT: '8080',
    GATEWAY_URL: 'http://gateway.example:8080',
    OPERATOR_KEY: `astro_${'0'.repeat(49)}`,
    AGENT_STATE_DIR: '/var/lib/astro',
    AGENT_NAME: 'alpha',
    REGION: 'de-fra',
    PRICE_PER_SECOND_ATTO: '1000',
  };
  const configWith = (cpuMillis: number, memoryMib: number) =>
    readConfig(configOn(machine), {
      ...environment,
      OFFER_CPU_MILLIS: String(cpuMillis),
      OFFER_MEMORY_MIB: String(memoryMib),
    });

  test('may say what is asked of interruptible work, in base units', () => {
    const priced = (price: string) =>
      readConfig(configOn(machine), {
        ...environment,
        OFFER_CPU_MILLIS: '1000',
        OFFER_MEMORY_MIB: '1000',
        INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: price,
      });
    expect(priced('400')).toMatchObject({ INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: '400' });
    expect(() => priced('0.4')).toThrow('INTERRUPTIBLE_PRICE_PER_SECOND_ATTO');
  });

  test('may be all of the machine', () => {
    expect(configWith(4_000, 8_000)).toMatchObject({ OFFER_CPU_MILLIS: 4_000, OFFER_MEMORY_MIB: 8_000 });
  });

  test('may not exceed the machine, and each excess is named', () => {
    const all = 'which is all that this machine has';
    expect(() => configWith(4_001, 8_001)).toThrow(
      new InvalidConfig([
        `OFFER_CPU_MILLIS: must be at most 4000, ${all}`,
        `OFFER_MEMORY_MIB: must be at most 8000, ${all}`,
      ]),
    );
  });
});

test('this machine has a processor, memory and a disk', async () => {
  const real = await probeMachine();
  expect(real.processor.cores).toBeGreaterThan(0);
  expect(real.processor.model).not.toBe('');
  expect(real.memoryMib).toBeGreaterThan(256);
  expect(await diskFreeMib(process.cwd())).toBeGreaterThan(0);
});
