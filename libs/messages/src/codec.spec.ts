import { describe, expect, test } from '@jest/globals';
import { CodecError, decode, encode, typeNameOf } from './codec.js';
import { catalogue } from './gen/catalogue.js';
import { plainDevice, plainInventory, plainOffer } from './unconstrained.js';

const offer = {
  nodeId: 'node_1',
  operatorId: 'operator_1',
  region: 'eu-west',
  pricePerSecondAtto: 10n ** 30n,
  inventory: {
    devices: [{ kind: 'gpu', vendor: 'nvidia', model: 'H100', memoryMib: 81_920, ...plainDevice }],
    cpuMillis: 4_000,
    memoryMib: 16_384,
    diskMib: 0,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  ...plainOffer,
};
const grant = {
  leaseId: 'lease_1',
  jobId: 'job_1',
  taskId: 'task_1',
  nodeId: 'node_1',
  operatorId: 'operator_1',
  pricePerSecondAtto: 7n,
  deadline: new Date('2026-01-02T03:04:05.678Z'),
  fencingToken: 2 ** 40,
  units: [
    { device: 1, slice: 0, shareThousandths: 1_000 },
    { device: 2, shareThousandths: 500 },
  ],
};
const granted = typeNameOf('event', 'scheduling.pool', 'LeasesGranted');
const enrolled = typeNameOf('event', 'registry.node', 'NodeEnrolled');
const roundTrip = (typeName: string, payload: unknown) => decode(typeName, encode(typeName, payload));

describe('the codec', () => {
  test('gives back what was encoded: nested messages, lists, enums, money beyond 64 bits', () => {
    const payload = { offer, publicKey: 'UABC' };
    expect(roundTrip(enrolled, payload)).toEqual(payload);
  });

  test('gives back dates to the millisecond and 64-bit integers as numbers', () => {
    const market = { prices: [], marketVersion: 1 };
    const payload = { poolId: 'main', grants: [grant], policy: 'tight-fit/1', weightsVersion: 1, ...market };
    expect(roundTrip(granted, payload)).toEqual(payload);
  });

  test('knows each message that travels by kind, aggregate and name', () => {
    for (const { kind, context, aggregate, name, typeName } of catalogue)
      expect(typeNameOf(kind, `${context}.${aggregate}`, name)).toBe(typeName);
    expect(catalogue.length).toBeGreaterThan(40);
  });
});

test.each([
  ['a missing field', { offer }, 'publicKey is missing'],
  [
    'a number for money',
    { offer: { ...offer, pricePerSecondAtto: 1 }, publicKey: '' },
    'offer.pricePerSecondAtto',
  ],
  [
    'an unknown enum value',
    withKind('tpu'),
    'offer.inventory.devices[0].kind must be one of unspecified, cpu',
  ],
  [
    'a list that is none',
    { offer: { ...offer, inventory: { ...offer.inventory, runtimes: 'wasm' } }, publicKey: '' },
    'runtimes must be a list',
  ],
])('%s is refused with the path of the field', (_, payload, message) => {
  expect(() => encode(enrolled, payload)).toThrow(CodecError);
  expect(() => encode(enrolled, payload)).toThrow(message);
});

test('a date that is none and an integer beyond 2^53 are refused', () => {
  const withGrant = (change: object) => () =>
    encode(granted, { poolId: 'main', grants: [{ ...grant, ...change }], policy: '', weightsVersion: 0 });
  expect(withGrant({ deadline: new Date('never') })).toThrow('grants[0].deadline must be a valid Date');
  expect(withGrant({ fencingToken: 2 ** 53 })).toThrow('grants[0].fencingToken must be a whole number');
});

test('bytes of something else are refused', () => {
  expect(() => decode(enrolled, Uint8Array.of(255, 255, 1))).toThrow(CodecError);
  expect(() => decode('astro.scheduling.v1.Nothing', new Uint8Array())).toThrow('there is no message');
  expect(() => typeNameOf('event', 'scheduling.job', 'JobPainted')).toThrow('there is no event JobPainted');
});

function withKind(kind: string) {
  const devices = [{ ...offer.inventory.devices[0], kind }];
  return { offer: { ...offer, inventory: { ...offer.inventory, devices } }, publicKey: '' };
}
