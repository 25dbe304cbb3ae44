import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine } from './engine.js';
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
import type { Policy } from './policy.js';
import { policyAlone } from './weights.js';

function engineOf(offers: readonly NodeOffer[], policy: Policy = wholeDevices, indexBytesMax = 2 ** 20) {
  const engine = new PlacementEngine({ policy, weights: policyAlone, cacheBits: 8, indexBytesMax });
  for (const one of offers) engine.addNode(one);
  return engine;
}
const shared = (shareThousandths: number) => needs({ cpuMillis: 0, devices: devices({ shareThousandths }) });
const unitOf = (outcome: ReturnType<PlacementEngine['place']>) =>
  outcome === 'NoNodeFits' ? outcome : outcome.hold.units[0]?.unit;

describe('a node', () => {
  test('that came or left is used or not from the next decision on', () => {
    const engine = engineOf([]);
    expect(engine.place(request('t'))).toBe('NoNodeFits');
    engine.addNode(offer('a'));
    expect(engine.place(request('t'))).toMatchObject({ nodeId: 'a' });
    expect([engine.removeNode('a'), engine.removeNode('a')]).toEqual(['removed', 'NodeNotFound']);
    expect(engine.place(request('t'))).toBe('NoNodeFits');
    engine.addNode(offer('b', { devices: [] }));
    expect(engine.place(request('t'))).toBe('NoNodeFits');
  });

  test('that a request does not name is not found, wherever the search looks and whose place it has', () => {
    const engine = engineOf([offer('a'), offer('b')]);
    const onlyB = request('t', needs({ nodes: ['b', 'gone'] }));
    const query = engine.query(onlyB);
    const [a, b] = [engine.fleet.slotOf('a')!, engine.fleet.slotOf('b')!];
    const found = [undefined, { slots: [a] }, { isIn: (slot: number) => slot === a }, { slots: [a, b] }];
    expect(found.map(domain => engine.find(query, domain).slot)).toEqual([b, -1, -1, b]);
    engine.removeNode('b');
    engine.addNode(offer('c'));
    expect(engine.fleet.slotOf('c')).toBe(b);
    expect(engine.place(onlyB)).toBe('NoNodeFits');
  });

  test('is in the fleet once', () => {
    expect(() => engineOf([offer('a'), offer('a')])).toThrow('in the fleet already');
  });

  test('keeps what is held when its offer changes, and takes no more than is left', () => {
    const engine = engineOf([offer('a')]);
    const held = engine.place(request('t'));
    expect(engine.updateNode(offer('a', { region: 'us', cpuMillis: 1_500 }))).toBe('updated');
    const inEu = needs({ regions: { allowed: ['eu'], denied: [] } });
    const inUs = needs({ cpuMillis: 500, regions: { allowed: ['us'], denied: [] } });
    expect(engine.place(request('eu', inEu))).toBe('NoNodeFits');
    expect(engine.place(request('large', needs()))).toBe('NoNodeFits');
    expect(engine.place(request('us', inUs))).toMatchObject({ nodeId: 'a' });
    expect(held !== 'NoNodeFits' && engine.release(held.hold)).toBe('released');
    expect(engine.place(request('large', needs()))).toMatchObject({ nodeId: 'a' });
  });

  test('changes its devices only while none is held', () => {
    const engine = engineOf([offer('a')]);
    const held = engine.place(request('t'));
    const larger = offer('a', { devices: [gpu(), gpu(), gpu()] });
    expect(engine.updateNode(larger)).toBe('DevicesAreHeld');
    if (held !== 'NoNodeFits') engine.release(held.hold);
    expect(engine.updateNode(larger)).toBe('updated');
    const three = needs({ devices: devices({ count: 3 }) });
    expect(engine.place(request('three', three))).toMatchObject({ nodeId: 'a' });
    expect(engine.updateNode(offer('z'))).toBe('NodeNotFound');
  });

  test('gives back what was taken, and nothing twice', () => {
    const engine = engineOf([offer('a')]);
    const held = engine.place(request('t'));
    if (held === 'NoNodeFits') throw new Error('the node is free');
    expect(() => engine.take({ ...held.hold, cpuMillis: 7_001 })).toThrow('less free');
    engine.release(held.hold);
    expect(() => engine.release(held.hold)).toThrow('holds less');
    expect([engine.take(held.hold), engine.release(held.hold)]).toEqual(['taken', 'released']);
    expect(engine.release({ ...held.hold, nodeId: 'z' })).toBe('NodeNotFound');
  });
});

describe('slices', () => {
  const sliced = gpu({ slices: ['1g', '3g'].map(profile => ({ profile, memoryMib: 5_120 })) });

  test('are handed out by profile, and the partitioned device is not', () => {
    const engine = engineOf([offer('a', { devices: [gpu(), sliced] })]);
    const slice = needs({ devices: devices({ profile: '3g' }) });
    expect(engine.place(request('t', slice))).toMatchObject({ hold: { units: [{ device: 1, slice: 1 }] } });
    expect(engine.place(request('t', slice))).toBe('NoNodeFits');
    expect(engine.place(request('t'))).toMatchObject({ hold: { units: [{ device: 0 }] } });
    expect(engine.place(request('t'))).toBe('NoNodeFits');
  });
});

describe('a policy', () => {
  const indifferent: Policy = { kind: 'direct', name: 'indifferent', score: () => 1 };
  const used = (engine: PlacementEngine) => {
    const holds = [400, 700].map(share => engine.place(request('t', shared(share))));
    return holds.map(unitOf);
  };

  test('that keeps the order of units has the first of equally good ones taken', () => {
    const engine = engineOf([offer('a')], { ...indifferent, keepsUnitOrder: true });
    expect(used(engine)).toEqual([0, 1]);
    expect(unitOf(engine.place(request('t', shared(300))))).toBe(0);
  });

  test('that does not gets states in which the tightest unit comes first', () => {
    const engine = engineOf([offer('a')], indifferent);
    expect(used(engine)).toEqual([0, 1]);
    expect(unitOf(engine.place(request('t', shared(300))))).toBe(1);
  });

  test('that takes the tightest unit does so whatever the score', () => {
    const emptiest: Policy = {
      kind: 'direct',
      name: 'emptiest',
      score: (_demand, _before, { freeShares }) => Math.min(freeShares[0]!, freeShares[1]!),
    };
    const third = (policy: Policy) => {
      const engine = engineOf([offer('a')], policy);
      engine.place(request('t', shared(400)));
      return unitOf(engine.place(request('t', shared(300))));
    };
    expect([third(emptiest), third({ ...emptiest, takesTightest: true })]).toEqual([1, 0]);
  });

  test('that is random takes any node that fits, by its seed', () => {
    const nodes = Array.from({ length: 20 }, (_, index) => offer(`n${index}`));
    const drawn = (seed: number) => {
      const engine = engineOf(nodes, { kind: 'random', name: 'random', seed });
      return Array.from({ length: 40 }, () => engine.place(request('t')));
    };
    expect(drawn(1)).toEqual(drawn(1));
    expect(drawn(1)).not.toEqual(drawn(2));
    expect(drawn(1)).not.toContain('NoNodeFits');
    const nodesTaken = drawn(3)
      .slice(0, 10)
      .map(outcome => outcome !== 'NoNodeFits' && outcome.nodeId);
    expect(new Set(nodesTaken).size).toBeGreaterThan(4);
  });

  test('that scores no number is refused by name', () => {
    const broken: Policy = { kind: 'direct', name: 'broken', score: () => Number.NaN };
    expect(() => engineOf([offer('a')], broken).place(request('t'))).toThrow('broken scored NaN');
  });

  test('can be exchanged, as can the weights', () => {
    const nodes = [offer('dear', { pricePerDeviceSecondAtto: 200n }), offer('cheap')];
    const engine = engineOf(nodes, indifferent);
    expect(engine.place(request('t'))).toMatchObject({ nodeId: 'dear', weightsVersion: 0 });
    engine.use(indifferent, allTerms);
    expect(engine.place(request('t'))).toMatchObject({ nodeId: 'cheap', weightsVersion: 7 });
    expect(() => engine.use(indifferent, { ...allTerms, price: -1 })).toThrow('the weight of price is -1');
  });
});

test('an index that had to go is built anew with the same answers', () => {
  fc.assert(
    fc.property(anyOffers, anyRequests(12), (offers, requests) => {
      const [roomy, cramped] = [engineOf(offers), engineOf(offers, wholeDevices, 1)];
      for (const one of [...requests, ...requests]) expect(cramped.place(one)).toEqual(roomy.place(one));
    }),
    { numRuns: 50 },
  );
});
