import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine } from './engine.js';
import { explain } from './explain.js';
import type { FilterName } from './filters.js';
import {
  allTerms,
  anyOffers,
  anyRequests,
  devices,
  gpu,
  needs,
  offer,
  request,
  wholeDevices,
} from './fleet.fixture.js';
import type { NodeOffer } from './offer.js';
import { Oracle } from './oracle.fixture.js';
import type { Requirements, TaskRequest } from './request.js';

function engineOf(offers: readonly NodeOffer[], weights = allTerms): PlacementEngine {
  const engine = new PlacementEngine({ policy: wholeDevices, weights, cacheBits: 8 });
  for (const one of offers) engine.addNode(one);
  return engine;
}

test.each<[FilterName, Partial<Requirements>, Partial<NodeOffer>, Partial<TaskRequest>]>([
  ['runtime', {}, { runtimes: ['oci'] }, {}],
  ['region', { regions: { allowed: ['us'], denied: [] } }, {}, {}],
  ['region', { regions: { allowed: [], denied: ['eu'] } }, {}, {}],
  ['country', { countries: { allowed: [], denied: ['DE'] } }, {}, {}],
  ['attestation', { attestations: ['tdx'] }, {}, {}],
  ['reliability', { reliabilityMin: 0.99 }, { reliability: 0.9 }, {}],
  ['priceCap', { priceCapAtto: 1n, isInterruptible: true }, { interruptiblePriceAtto: 2n }, {}],
  ['priceCap', { priceCapAtto: 10n ** 30n }, { pricePerDeviceSecondAtto: 10n ** 30n + 1n }, {}],
  ['transferPriceCap', { transferPriceCapAtto: 0n }, { transferPriceAtto: 1n }, {}],
  ['transferPriceCap', { transferPriceCapAtto: 10n ** 30n }, { transferPriceAtto: 10n ** 30n + 1n }, {}],
  ['nodeExcluded', {}, {}, { nodesExcluded: new Set(['a']) }],
  ['operatorExcluded', {}, {}, { operatorsExcluded: new Set(['operator-of-a']) }],
  ['deadline', {}, { performance: 0.5 }, { deadlineMs: 60_000 }],
  ['maintenance', {}, { maintenance: [{ fromMs: 59_999, untilMs: 90_000 }] }, {}],
  ['hardware', { devices: devices({ models: ['H100'] }) }, {}, {}],
  [
    'hardware',
    { devices: devices({ shareThousandths: 500 }) },
    { devices: [gpu({ isShareable: false })] },
    {},
  ],
  ['hardware', { devices: devices({ count: 2, isInterconnected: true }) }, {}, {}],
  ['hardware', { devices: devices({ profile: '1g' }) }, {}, {}],
  ['hardware', { memoryMib: 32_769 }, {}, {}],
])('%s is named for the node that fails it, and the task is not placed', (name, own, node, fields) => {
  const engine = engineOf([offer('a', node)]);
  const one = request('t', needs(own), fields);
  const { filters, passing } = explain(engine, one);
  expect(Object.entries(filters).filter(([, { failing }]) => failing > 0)).toEqual([
    [name, { failing: 1, alone: 1 }],
  ]);
  expect([passing, engine.place(one)]).toEqual([0, 'NoNodeFits']);
});

test.each<[FilterName, Partial<Requirements>]>([
  ['cpu', { cpuMillis: 8_000, devices: undefined }],
  ['memory', { memoryMib: 32_768, devices: undefined }],
  ['disk', { diskMib: 100_000, devices: undefined }],
  ['bandwidth', { bandwidthMbps: 1_000, devices: undefined }],
  ['units', { devices: devices({ count: 2 }) }],
])('%s that others hold is told apart from what the node lacks', (name, own) => {
  const engine = engineOf([offer('a')]);
  engine.place(request('first', needs({ diskMib: 1, bandwidthMbps: 1 })));
  const failing = Object.entries(explain(engine, request('t', needs(own))).filters);
  expect(failing.filter(([, counts]) => counts.failing > 0).map(([failed]) => failed)).toEqual([name]);
});

describe('a candidate that did not win', () => {
  const twins = [
    offer('a', { pricePerDeviceSecondAtto: 100n }),
    offer('b', { pricePerDeviceSecondAtto: 125n }),
  ];

  test('is told the price that would have won, and wins with a little less', () => {
    const [winner, loser] = explain(engineOf(twins), request('t')).best;
    expect([winner?.nodeId, loser?.nodeId]).toEqual(['a', 'b']);
    expect(loser?.wouldWinBy).toEqual({ change: 'price', percent: expect.closeTo(-20, 4) });
    const cheaper = [twins[0]!, { ...twins[1]!, pricePerDeviceSecondAtto: 99n }];
    expect(engineOf(cheaper).place(request('t'))).toMatchObject({ nodeId: 'b' });
  });

  test('is told of the price that counts for interruptible work', () => {
    const asking = [
      offer('a', { pricePerDeviceSecondAtto: 100n, interruptiblePriceAtto: 90n }),
      offer('b', { pricePerDeviceSecondAtto: 125n, interruptiblePriceAtto: 72n }),
    ];
    const one = request('t', needs({ isInterruptible: true }));
    const [winner, loser] = explain(engineOf(asking), one).best;
    expect([winner?.nodeId, loser?.nodeId]).toEqual(['b', 'a']);
    expect([winner!.terms.price, loser!.terms.price]).toEqual(
      [-0.72, -0.9].map(price => allTerms.price * price),
    );
    expect(loser?.wouldWinBy).toEqual({ change: 'price', percent: expect.closeTo(-20, 4) });
    // The same nodes, for work on demand.
    expect(explain(engineOf(asking), request('t')).best.map(({ nodeId }) => nodeId)).toEqual(['a', 'b']);
  });

  test('is told the one filter that kept it from winning', () => {
    const one = request('t', needs({ regions: { allowed: ['eu'], denied: [] } }));
    const { nearest } = explain(
      engineOf([...twins, offer('c', { region: 'us', reliability: 1, performance: 2 })]),
      one,
    );
    expect(nearest).toMatchObject([{ nodeId: 'c', wouldWinBy: { change: 'filter', filter: 'region' } }]);
    expect(nearest[0]!.gap).toBeLessThan(0);
  });

  test('is one of a few that are listed', () => {
    const many = Array.from({ length: 50 }, (_, index) => offer(`n${index}`));
    expect(explain(engineOf(many), request('t'), 3).best.map(({ nodeId }) => nodeId)).toEqual([
      'n0',
      'n1',
      'n2',
    ]);
    expect(() => explain(engineOf(many), request('t'), 0)).toThrow('listed is 0');
  });
});

describe('whatever the fleet and the request', () => {
  const weights = { ...allTerms, referencePriceAtto: 10n ** 18n };

  test('the explanation names the node that placing takes, and counts those that the oracle would', () => {
    fc.assert(
      fc.property(anyOffers, anyRequests(6), (offers, requests) => {
        const engine = engineOf(offers, weights);
        const oracle = new Oracle(offers, wholeDevices, weights);
        for (const one of requests) {
          const { best, passing } = explain(engine, one);
          expect(explain(engine, one).best).toEqual(best);
          expect(passing).toBe(offers.filter(node => oracle.scoreOn(node, one) !== undefined).length);
          for (const { score, terms } of best) {
            const sum = Object.values(terms).reduce((all, term) => all + term, 0);
            expect(sum).toBeCloseTo(score, 6);
          }
          const outcome = engine.place(one);
          expect(outcome === 'NoNodeFits' ? undefined : outcome.nodeId).toBe(best[0]?.nodeId);
          if (outcome !== 'NoNodeFits') oracle.take(outcome.hold);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a cheaper price wins when the explanation says so', () => {
    fc.assert(
      fc.property(anyOffers, anyRequests(1), (offers, [one]) => {
        for (const { nodeId, wouldWinBy } of explain(engineOf(offers, weights), one!).best) {
          if (wouldWinBy?.change !== 'price') continue;
          const changed = offers.map(node => {
            if (node.nodeId !== nodeId) return node;
            const field =
              one!.requirements.isInterruptible && node.interruptiblePriceAtto !== undefined
                ? 'interruptiblePriceAtto'
                : 'pricePerDeviceSecondAtto';
            const price = Number(node[field]) * (1 + (wouldWinBy.percent - 0.001) / 100);
            return { ...node, [field]: BigInt(Math.max(0, Math.floor(price))) };
          });
          expect(engineOf(changed, weights).place(one!)).toMatchObject({ nodeId });
        }
      }),
      { numRuns: 200 },
    );
  });
});
