import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { problemsOfGang, problemsOfOffer, problemsOfRequest } from './admission.js';
import { anyOffers, anyRequests, devices, gpu, needs, offer, request } from './fleet.fixture.js';
import type { NodeOffer } from './offer.js';
import type { Requirements, TaskRequest } from './request.js';

const catalogue = {
  models: new Set(['A100', 'T4', 'N1', 'epyc']),
  runtimes: new Set(['wasm', 'oci']),
};
const fieldsOf = (problems: readonly { readonly field: string }[]) => problems.map(({ field }) => field);

test.each<[string, Partial<Requirements>]>([
  ['requirements.cpuMillis', { cpuMillis: -1 }],
  ['requirements.cpuMillis', { cpuMillis: Number.NaN }],
  ['requirements.memoryMib', { memoryMib: 1.5 }],
  ['requirements.diskMib', { diskMib: Number.POSITIVE_INFINITY }],
  ['requirements.bandwidthMbps', { bandwidthMbps: 2 ** 31 }],
  ['requirements.reliabilityMin', { reliabilityMin: 1.01 }],
  ['requirements.priceCapAtto', { priceCapAtto: -1n }],
  ['requirements.transferPriceCapAtto', { transferPriceCapAtto: -1n }],
  ['requirements.priceCapAtto', { priceCapAtto: 2n ** 128n }],
  ['requirements.expectedDurationMs', { expectedDurationMs: Number.NaN }],
  ['requirements.runtime', { runtime: 'cobol' }],
  ['requirements.devices.count', { devices: devices({ count: Number(2n ** 64n - 1n) }) }],
  ['requirements.devices.count', { devices: devices({ count: 0 }) }],
  ['requirements.devices.count', { devices: devices({ kind: 'cpu', count: 1 }) }],
  ['requirements.devices.shareThousandths', { devices: devices({ shareThousandths: 1_001 }) }],
  ['requirements.devices.shareThousandths', { devices: devices({ profile: '1g', shareThousandths: 500 }) }],
  ['requirements.devices.models[0]', { devices: devices({ models: ['A1000'] }) }],
  ['requirements.regions.allowed[1]', { regions: { allowed: ['eu', ''], denied: [] } }],
  ['requirements.datasets', { datasets: Array.from({ length: 1_001 }, () => 'd') }],
])('a request is refused for its %s: case %#', (field, fields) => {
  expect(fieldsOf(problemsOfRequest(request('t', needs(fields)), catalogue))).toEqual([field]);
});

test.each<[string, Partial<TaskRequest>]>([
  ['taskId', { taskId: '' }],
  ['decidedAtMs', { decidedAtMs: -1 }],
  ['deadlineMs', { decidedAtMs: 5, deadlineMs: 4 }],
  ['priority', { priority: Number.NaN }],
  ['nodesExcluded[0]', { nodesExcluded: new Set(['x'.repeat(257)]) }],
])('a request is refused for its %s', (field, fields) => {
  expect(fieldsOf(problemsOfRequest(request('t', needs(), fields), catalogue))).toEqual([field]);
});

test.each<[string, Partial<NodeOffer>]>([
  ['nodeId', { nodeId: '' }],
  ['cpuMillis', { cpuMillis: -1 }],
  ['memoryMib', { memoryMib: 2 ** 31 }],
  ['performance', { performance: 0 }],
  ['reliability', { reliability: Number.NaN }],
  ['pricePerDeviceSecondAtto', { pricePerDeviceSecondAtto: -1n }],
  ['transferPriceAtto', { transferPriceAtto: -1n }],
  ['cpuPower.socketMillis', { cpuPower: { socketMillis: 0, idleWatts: 1, fullWatts: 1 } }],
  ['runtimes[0]', { runtimes: ['cobol'] }],
  ['devices', { devices: Array.from({ length: 65 }, () => gpu()) }],
  ['devices[1].model', { devices: [gpu(), gpu({ model: 'A1000' })] }],
  ['devices[0].memoryMib', { devices: [gpu({ memoryMib: Number.NaN })] }],
  ['devices[0].slices[0].memoryMib', { devices: [gpu({ slices: [{ profile: '7g', memoryMib: 40_961 }] })] }],
  ['maintenance[0].untilMs', { maintenance: [{ fromMs: 2, untilMs: 1 }] }],
])('an offer is refused for its %s: case %#', (field, fields) => {
  expect(fieldsOf(problemsOfOffer(offer('a', fields), catalogue))).toEqual([field]);
});

test('the rule says what was given and what would do', () => {
  const [problem] = problemsOfRequest(request('t', needs({ cpuMillis: -5 })), catalogue);
  expect(problem?.rule).toBe('is -5, which is not a whole number from 0 to 10000000');
});

describe('a gang', () => {
  const gang = { gangId: 'g', topology: 'any' as const, distinctOperators: false };

  test('needs a member', () => {
    expect(fieldsOf(problemsOfGang({ ...gang, members: [] }, catalogue))).toEqual(['members']);
  });

  test('is refused for a member, which is named', () => {
    const members = [request('a'), request('b', needs({ memoryMib: -1 }))];
    expect(fieldsOf(problemsOfGang({ ...gang, members }, catalogue))).toEqual([
      'members[1].requirements.memoryMib',
    ]);
  });
});

test('what the other properties are tried with is admitted', () => {
  fc.assert(
    fc.property(anyOffers, anyRequests(3), (offers, requests) => {
      const named = requests.map((one, index) => ({ ...one, taskId: `t${index}` }));
      expect(offers.flatMap(one => problemsOfOffer(one, catalogue))).toEqual([]);
      expect(named.flatMap(one => problemsOfRequest({ ...one, deadlineMs: undefined }, catalogue))).toEqual(
        [],
      );
    }),
    { numRuns: 50 },
  );
});
