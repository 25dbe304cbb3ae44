import { expect, test } from '@jest/globals';
import { silent } from '@astro/jetstream/log';
import type { Accelerator } from './accelerator.js';
import { HardwareWatch, type Look } from './hardware-watch.js';
import { inventoryOf } from './offer.js';

const machine = {
  processor: { vendor: 'AMD', model: 'EPYC 9354', cores: 4 },
  ...{ memoryMib: 8_000, accelerators: [], problems: [], operatingSystem: 'linux', architecture: 'x64' },
};
const gpu: Accelerator = {
  ...({ kind: 'gpu' } as const),
  ...{ id: 'GPU-1', vendor: 'NVIDIA', model: 'H200', memoryMib: 143_771 },
  ...{ interconnect: '', slices: [], fullWatts: 700 },
};
const share = {
  ...{ OFFER_CPU_MILLIS: 4_000, OFFER_MEMORY_MIB: 2_000, OFFER_DISK_MIB: undefined },
  ...({ OFFER_DEVICES: 'all', SHARE_DEVICES: false } as const),
};

const lookAt = (
  accelerators: readonly Accelerator[],
  diskFreeMib = 50_000,
  problems: string[] = [],
): Look => ({
  problems,
  offer: {
    ...{ region: 'de-fra', pricePerSecondAtto: '1', maintenance: [] },
    inventory: inventoryOf({ ...machine, accelerators }, share, { diskFreeMib, runtimes: ['wasm'] }),
  },
});

function watching(first: Look, ...later: readonly Look[]) {
  const warned: string[] = [];
  const log = { ...silent, warn: (message: string) => void warned.push(message) };
  const looks = later.values();
  return { warned, watch: new HardwareWatch(first, async () => looks.next().value!, log) };
}

test('a device that appears is told once two looks agree, and once only', async () => {
  const { watch } = watching(lookAt([]), lookAt([gpu]), lookAt([gpu]), lookAt([gpu]));
  expect(await watch.changed()).toBeUndefined();
  const offer = await watch.changed();
  expect(offer?.inventory.devices).toHaveLength(2);
  watch.told(offer!);
  expect(await watch.changed()).toBeUndefined();
});

test('a device that vanishes for a moment changes nothing', async () => {
  const { watch } = watching(lookAt([gpu]), lookAt([]), lookAt([gpu]), lookAt([gpu]));
  for (const _ of [1, 2, 3]) expect(await watch.changed()).toBeUndefined();
});

test('what could not be told is told again', async () => {
  const { watch } = watching(lookAt([]), lookAt([gpu]), lookAt([gpu]), lookAt([gpu]));
  await watch.changed();
  expect(await watch.changed()).toBeDefined();
  expect(await watch.changed()).toBeDefined();
});

test('free space on the disk is no change', async () => {
  const { watch } = watching(lookAt([]), lookAt([], 10), lookAt([], 10));
  for (const _ of [1, 2]) expect(await watch.changed()).toBeUndefined();
});

test('a problem is told when it begins', async () => {
  const trouble = lookAt([], 50_000, ['nvidia-smi failed: no driver']);
  const { watch, warned } = watching(lookAt([]), trouble, trouble, lookAt([]), trouble);
  for (const _ of [1, 2, 3, 4]) await watch.changed();
  expect(warned).toEqual(['nvidia-smi failed: no driver', 'nvidia-smi failed: no driver']);
});
