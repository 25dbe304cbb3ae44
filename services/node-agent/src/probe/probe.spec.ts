import { describe, expect, jest, test } from '@jest/globals';
import { InvalidConfig, readConfig } from '@astro/runtime/config';
import { diskFreeMib, type Machine, probeMachine } from './machine.js';
import { configOn, inventoryOf, missingDevices, offerOf } from './offer.js';
import { plainDevice, plainInventory } from '@astro/messages/unconstrained';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const machine: Machine = {
  processor: { vendor: 'AMD', model: 'EPYC 9354', cores: 4 },
  memoryMib: 8_000,
  accelerators: [
    {
      ...{ kind: 'gpu', id: 'GPU-1', vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559 },
      ...{ interconnect: '', slices: [], fullWatts: 700 },
    },
  ],
  problems: [],
  operatingSystem: 'linux',
  architecture: 'x64',
};

describe('the offer', () => {
  const encryptionRecipient = `age1${'q'.repeat(58)}`;
  const found = { diskFreeMib: 50_000, runtimes: ['wasm'] as const, encryptionRecipient };
  const share = {
    ...{ OFFER_CPU_MILLIS: 4_000, OFFER_MEMORY_MIB: 2_000, OFFER_DISK_MIB: undefined },
    ...({ OFFER_DEVICES: 'all', SHARE_DEVICES: false } as const),
  };

  test('is the share of the operator, on the hardware that is there', () => {
    expect(inventoryOf(machine, share, found)).toEqual({
      devices: [
        { kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 2_000, ...plainDevice },
        {
          ...{ kind: 'gpu', vendor: 'NVIDIA', model: 'H100 80GB HBM3', memoryMib: 81_559 },
          ...{ ...plainDevice, fullWatts: 700 },
        },
      ],
      cpuMillis: 4_000,
      memoryMib: 2_000,
      diskMib: 40_000,
      operatingSystem: 'linux',
      architecture: 'x64',
      runtimes: ['wasm'],
      ...plainInventory,
    });
  });

  test('leaves out what the operator does not offer, and says which wanted device is not here', () => {
    const kinds = (OFFER_DEVICES: 'all' | 'none' | string[]) =>
      inventoryOf(machine, { ...share, OFFER_DEVICES }, found).devices.map(({ kind }) => kind);
    expect([kinds('none'), kinds(['GPU-1']), kinds(['GPU-2'])]).toEqual([['cpu'], ['cpu', 'gpu'], ['cpu']]);
    expect(missingDevices(machine, { ...share, OFFER_DEVICES: ['GPU-1', 'GPU-2'] })).toEqual([
      'OFFER_DEVICES names GPU-2, which is not here',
    ]);
  });

  test('shares a device by thousandths where the operator lets it, and never one that is sliced', () => {
    const slices = [{ profile: '1g.10gb', memoryMib: 9_536 }];
    const sliced = { ...machine.accelerators[0]!, id: 'GPU-2', slices };
    const both = { ...machine, accelerators: [...machine.accelerators, sliced] };
    const { devices } = inventoryOf(both, { ...share, SHARE_DEVICES: true }, found);
    expect(devices.map(({ isShareable }) => isShareable)).toEqual([false, true, false]);
    expect(devices[2]!.slices).toEqual(slices);
  });

  test('of a device without memory of its own has the memory that is offered of the host', () => {
    const unified = { ...machine.accelerators[0]!, memoryMib: undefined };
    const { devices } = inventoryOf({ ...machine, accelerators: [unified] }, share, found);
    expect(devices[1]!.memoryMib).toBe(2_000);
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

  test('is most of the machine unless the operator says otherwise: the host needs the rest', () => {
    expect(readConfig(configOn(machine), environment)).toMatchObject({
      ...{ OFFER_CPU_MILLIS: 3_200, OFFER_MEMORY_MIB: 6_400, OFFER_DEVICES: 'all', SHARE_DEVICES: false },
    });
  });

  test('may be of some hours only, which are refused when they cannot be read', () => {
    const during = (OFFER_HOURS: string) => readConfig(configOn(machine), { ...environment, OFFER_HOURS });
    const now = new Date('2026-11-30T12:00:00Z');
    expect(offerOf(machine, during('22:00-06:00'), found, now).maintenance[0]).toEqual({
      from: new Date('2026-11-30T06:00:00Z'),
      until: new Date('2026-11-30T22:00:00Z'),
    });
    expect(() => during('at night')).toThrow('OFFER_HOURS: "at night" must look like 22:00-06:00');
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
