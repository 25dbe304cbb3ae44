import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementEngine } from './engine.js';
import { allTerms, anyOffers, anyRequests, gpu, offer, request, wholeDevices } from './fleet.fixture.js';
import { placeGang } from './gang.js';
import type { NodeOffer } from './offer.js';
import type { GangRequest, GangTopology } from './request.js';
import { Reservations } from './reservations.js';
import { policyAlone } from './weights.js';

function engineOf(offers: readonly NodeOffer[], weights = policyAlone): PlacementEngine {
  const engine = new PlacementEngine({ policy: wholeDevices, weights, cacheBits: 8 });
  for (const one of offers) engine.addNode(one);
  return engine;
}

/** Every number that placing changes, byte for byte. */
function contentOf({ fleet: { columns } }: PlacementEngine): readonly unknown[] {
  const { freeCpuMillis, freeMemoryMib, freeDiskMib, freeBandwidthMbps, stateHash } = columns;
  const amounts = [freeCpuMillis, freeMemoryMib, freeDiskMib, freeBandwidthMbps, stateHash];
  const shares = Array.from({ length: columns.height }, (_, slot) =>
    Array.from({ length: columns.shapeOf(slot).unitCount }, (__, unit) => columns.freeShare(slot, unit)),
  );
  return [...amounts.map(column => [...column]), shares];
}

const gang = (size: number, topology: GangTopology, fields: Partial<GangRequest> = {}): GangRequest => ({
  gangId: 'g',
  members: Array.from({ length: size }, (_, index) => request(`t${index}`)),
  topology,
  distinctOperators: false,
  ...fields,
});

const nodesOf = (outcome: ReturnType<typeof placeGang>) =>
  typeof outcome === 'string' ? outcome : outcome.map(placement => placement.nodeId);

describe('a gang', () => {
  test('is placed wherever its members fit', () => {
    expect(nodesOf(placeGang(engineOf([offer('a'), offer('b')]), gang(3, 'any')))).toHaveLength(3);
  });

  test('that does not fit whole leaves nothing behind', () => {
    const engine = engineOf([offer('a'), offer('b')]);
    const before = contentOf(engine);
    expect(placeGang(engine, gang(5, 'any'))).toBe('NoNodeFits');
    expect(contentOf(engine)).toEqual(before);
  });

  test('of one node goes where all of it fits, not where its first member scores best', () => {
    const small = offer('small', { devices: [gpu()] });
    const engine = engineOf([small, offer('large', { devices: [gpu(), gpu(), gpu()] })]);
    expect(placeGang(engine, gang(1, 'node'))).toMatchObject([{ nodeId: 'small' }]);
    expect(nodesOf(placeGang(engine, gang(3, 'node')))).toEqual(['large', 'large', 'large']);
  });

  test('of one region or fabric stays in it', () => {
    const nodes = ['eu', 'us', 'eu', 'us', 'us'].map((region, index) =>
      offer(`n${index}`, { region, fabric: index % 2 === 0 ? 'even' : '' }),
    );
    const inUs = ['n1', 'n3', 'n4'].flatMap(id => [id, id]);
    expect([...nodesOf(placeGang(engineOf(nodes), gang(6, 'region')))].sort()).toEqual(inUs);
    expect(new Set(nodesOf(placeGang(engineOf(nodes), gang(5, 'fabric'))))).toEqual(
      new Set(['n0', 'n2', 'n4']),
    );
    expect(placeGang(engineOf(nodes), gang(7, 'fabric'))).toBe('NoDomainFits');
  });

  test('of replicas goes to different operators', () => {
    const nodes = ['o1', 'o1', 'o2'].map((operatorId, index) => offer(`n${index}`, { operatorId }));
    const apart = { distinctOperators: true };
    expect(nodesOf(placeGang(engineOf(nodes), gang(2, 'any', apart)))).toEqual(['n0', 'n2']);
    expect(placeGang(engineOf(nodes), gang(3, 'any', apart))).toBe('NoNodeFits');
  });

  test('is never split, whatever the fleet', () => {
    const topologies = fc.constantFrom<GangTopology>('any', 'node', 'region', 'fabric');
    fc.assert(
      fc.property(anyOffers, anyRequests(4), topologies, fc.boolean(), (offers, members, topology, apart) => {
        const engine = engineOf(offers, allTerms);
        const before = contentOf(engine);
        const outcome = placeGang(engine, { gangId: 'g', members, topology, distinctOperators: apart });
        if (typeof outcome === 'string') return expect(contentOf(engine)).toEqual(before);
        expect(outcome).toHaveLength(members.length);
        const hosts = outcome.map(({ nodeId }) => offers.find(node => node.nodeId === nodeId)!);
        if (apart) expect(new Set(hosts.map(host => host.operatorId)).size).toBe(members.length);
        if (topology === 'node') expect(new Set(hosts).size).toBe(1);
        if (topology === 'region') expect(new Set(hosts.map(host => host.region)).size).toBe(1);
        if (topology === 'fabric') {
          expect(new Set(hosts.map(host => host.fabric)).size).toBe(1);
          expect(hosts[0]?.fabric).not.toBe('');
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('a simulation', () => {
  test('is undone exactly, whatever it did, and decisions go on as if it had not been', () => {
    fc.assert(
      fc.property(anyOffers, anyRequests(8), anyRequests(8), (offers, first, tried) => {
        const [engine, other] = [engineOf(offers, allTerms), engineOf(offers, allTerms)];
        const placed = first.map(one => engine.place(one));
        for (const one of first) other.place(one);
        const before = contentOf(engine);
        engine.simulate(() => {
          for (const one of tried) engine.place(one);
          for (const one of placed) if (one !== 'NoNodeFits') engine.release(one.hold);
          engine.simulate(() => tried.map(one => engine.place(one)));
          placeGang(engine, { ...gang(0, 'any'), members: tried });
        });
        expect(contentOf(engine)).toEqual(before);
        expect(tried.map(one => engine.place(one))).toEqual(tried.map(one => other.place(one)));
      }),
      { numRuns: 100 },
    );
  });

  test('that throws is undone as well', () => {
    const engine = engineOf([offer('a')]);
    const before = contentOf(engine);
    const act = () => {
      engine.place(request('t'));
      throw new Error('stop');
    };
    expect(() => engine.simulate(act)).toThrow('stop');
    expect(contentOf(engine)).toEqual(before);
  });

  test('does not change which nodes there are', () => {
    const engine = engineOf([offer('a')]);
    expect(() => engine.simulate(() => engine.addNode(offer('b')))).toThrow('may not change');
    expect(() => engine.simulate(() => engine.removeNode('a'))).toThrow('may not change');
  });
});

describe('a reservation', () => {
  const reserving = () => {
    const engine = engineOf([offer('a')]);
    return { engine, reservations: new Reservations(engine) };
  };

  test('keeps others away until it is cancelled', () => {
    const { engine, reservations } = reserving();
    expect(nodesOf(reservations.reserve(gang(2, 'node')) as never)).toEqual(['a', 'a']);
    expect(engine.place(request('late'))).toBe('NoNodeFits');
    expect(reservations.cancel('g')).toBe('cancelled');
    expect(engine.place(request('late'))).toMatchObject({ nodeId: 'a' });
  });

  test('turns into the leases of its gang', () => {
    const { engine, reservations } = reserving();
    reservations.reserve(gang(2, 'node'));
    const placements = reservations.redeem('g');
    expect(placements).toHaveLength(2);
    expect(engine.place(request('late'))).toBe('NoNodeFits');
    expect([reservations.redeem('g'), reservations.cancel('g')]).toEqual(['NotReserved', 'NotReserved']);
  });

  test('is made once for a gang', () => {
    const { reservations } = reserving();
    reservations.reserve(gang(1, 'any'));
    expect(reservations.reserve(gang(1, 'any'))).toBe('AlreadyReserved');
  });
});
