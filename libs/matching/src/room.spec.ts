import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { whollyFree } from './capacity.js';
import { explain } from './explain.js';
import type { Capacity, NodeSnapshot, Requirements } from './node.js';
import { Room } from './room.js';
import { couldHost } from './rules.js';

const gpu = (memoryMib: number, model = 'L4') => ({ kind: 'gpu', model, memoryMib });
const cpu = (memoryMib: number) => ({ kind: 'cpu', model: 'epyc', memoryMib });

/** One replica that waits. Replicas of one task share their `taskId` and go to different operators. */
type PlacementRequest = {
  readonly taskId: string;
  readonly requirements: Requirements;
  readonly operatorsExcluded: ReadonlySet<string>;
  readonly nodesExcluded: ReadonlySet<string>;
};

/** Takes room for the requests in their order; what finds none is passed over. */
function place(nodes: readonly NodeSnapshot[], requests: readonly PlacementRequest[]) {
  const room = new Room(nodes);
  const operators = new Map<string, Set<string>>();
  return requests.flatMap(request => {
    const excluded = operators.get(request.taskId) ?? new Set();
    operators.set(request.taskId, excluded);
    const all = new Set([...request.operatorsExcluded, ...excluded]);
    const taken = room.take(request.requirements, all, request.nodesExcluded);
    if (!taken) return [];
    const { nodeId, operatorId, pricePerSecondAtto } = taken.node;
    excluded.add(operatorId);
    return [{ request, nodeId, operatorId, pricePerSecondAtto, hold: taken.hold }];
  });
}
type Placement = ReturnType<typeof place>[number];

type NodeFields = Partial<Omit<NodeSnapshot, 'nodeId'>>;
function node(nodeId: string, fields: NodeFields = {}): NodeSnapshot {
  const total: Capacity = fields.total ?? { cpuMillis: 4000, memoryMib: 8192, devices: [cpu(8192)] };
  const { operatorId = `op-${nodeId}`, region = 'eu', runtimes = ['wasm'], pricePerSecondAtto = 5n } = fields;
  return {
    nodeId,
    operatorId,
    region,
    runtimes,
    pricePerSecondAtto,
    total,
    free: fields.free ?? whollyFree(total),
  };
}

const cpuNeeds: Requirements = {
  deviceKind: 'cpu',
  deviceModel: '',
  deviceMemoryMib: 0,
  cpuMillis: 1000,
  memoryMib: 1024,
  regions: [],
  maxPricePerSecondAtto: 10n,
};
const request = (taskId: string, fields: Partial<PlacementRequest> = {}): PlacementRequest => ({
  taskId,
  requirements: cpuNeeds,
  operatorsExcluded: new Set(),
  nodesExcluded: new Set(),
  ...fields,
});
const nodesOf = (placements: readonly Placement[]) => placements.map(placement => placement.nodeId);

describe('choosing a node', () => {
  test('the cheapest that fits is taken', () => {
    const nodes = [node('a', { pricePerSecondAtto: 7n }), node('b', { pricePerSecondAtto: 3n })];
    expect(nodesOf(place(nodes, [request('t')]))).toEqual(['b']);
  });

  test('of equally cheap nodes the one with most free capacity is taken, then the first by id', () => {
    const busy = { cpuMillis: 1500, memoryMib: 8192, devices: [] };
    expect(nodesOf(place([node('a', { free: busy }), node('b')], [request('t')]))).toEqual(['b']);
    expect(nodesOf(place([node('b'), node('a')], [request('t')]))).toEqual(['a']);
  });

  test('a node without room is passed over for a dearer one', () => {
    const full = { cpuMillis: 999, memoryMib: 8192, devices: [] };
    const nodes = [node('a', { pricePerSecondAtto: 1n, free: full }), node('b')];
    expect(nodesOf(place(nodes, [request('t')]))).toEqual(['b']);
  });

  test('a request that does not fit does not hold up the next', () => {
    const huge = request('huge', { requirements: { ...cpuNeeds, cpuMillis: 99_000 } });
    const placements = place([node('a')], [huge, request('t')]);
    expect(placements.map(placement => placement.request.taskId)).toEqual(['t']);
  });

  test('replicas of one task go to different operators', () => {
    const nodes = [
      node('a', { operatorId: 'o1' }),
      node('b', { operatorId: 'o1' }),
      node('c', { operatorId: 'o2' }),
    ];
    expect(nodesOf(place(nodes, [request('t'), request('t'), request('t')]))).toEqual(['a', 'c']);
  });

  test('excluded operators and nodes are left out, without making the class full for others', () => {
    const excluded = request('t', { operatorsExcluded: new Set(['op-a']), nodesExcluded: new Set(['b']) });
    expect(nodesOf(place([node('a'), node('b')], [excluded, request('u')]))).toEqual(['a']);
  });

  test('a device other than a CPU is held whole, the smallest that suits first', () => {
    const total = { cpuMillis: 9000, memoryMib: 9000, devices: [gpu(48_000), gpu(24_000)] };
    const requirements = { ...cpuNeeds, deviceKind: 'gpu', deviceMemoryMib: 16_000 };
    const requests = ['t', 'u', 'v'].map(taskId => request(taskId, { requirements }));
    expect(place([node('a', { total })], requests).map(placement => placement.hold.device)).toEqual([1, 0]);
  });
});

describe('explaining', () => {
  test.each<[string, Partial<Requirements>, NodeFields]>([
    ['priceCap', { maxPricePerSecondAtto: 4n }, {}],
    ['region', { regions: ['us'] }, {}],
    ['runtime', {}, { runtimes: ['oci'] }],
    ['deviceKind', { deviceKind: 'gpu' }, {}],
    ['deviceModel', { deviceModel: 'xeon' }, {}],
    ['deviceMemory', { deviceMemoryMib: 8193 }, {}],
    ['cpu', { cpuMillis: 4001 }, {}],
    ['memory', { memoryMib: 8193 }, {}],
  ])('%s is counted for the node that it excludes, and for no other reason', (rule, needs, fields) => {
    const counts = explain({ ...cpuNeeds, ...needs }, [node('a', fields)]);
    expect(Object.entries(counts).filter(([, count]) => count > 0)).toEqual([[rule, 1]]);
  });

  test('a model on one device and the memory on another is told apart', () => {
    const total = { cpuMillis: 4000, memoryMib: 8192, devices: [gpu(80_000, 'A100'), gpu(24_000, 'L4')] };
    const needs = { ...cpuNeeds, deviceKind: 'gpu', deviceModel: 'L4', deviceMemoryMib: 40_000 };
    expect(explain(needs, [node('a', { total })])).toMatchObject({
      device: 1,
      deviceModel: 0,
      deviceMemory: 0,
    });
  });

  test('load is no reason', () => {
    const full = { cpuMillis: 0, memoryMib: 0, devices: [] };
    expect(Object.values(explain(cpuNeeds, [node('a', { free: full })])).every(count => count === 0)).toBe(
      true,
    );
  });
});

const anyDevice = fc.record({
  kind: fc.constantFrom('cpu', 'gpu'),
  model: fc.constantFrom('x', 'y'),
  memoryMib: fc.integer({ min: 1, max: 3 }),
});
const anyNodes = fc.array(
  fc.record({
    operator: fc.integer({ min: 0, max: 3 }),
    price: fc.bigInt({ min: 0n, max: 4n }),
    region: fc.constantFrom('eu', 'us'),
    cpuMillis: fc.integer({ min: 0, max: 5 }),
    memoryMib: fc.integer({ min: 0, max: 5 }),
    devices: fc.array(anyDevice, { maxLength: 3 }),
  }),
  { maxLength: 8 },
);
const anyRequests = fc.array(
  fc.record({
    taskId: fc.constantFrom('t1', 't2', 't3', 't4'),
    operatorsExcluded: fc.uniqueArray(fc.constantFrom('o0', 'o1'), { maxLength: 1 }),
    nodesExcluded: fc.uniqueArray(fc.constantFrom('n0', 'n1'), { maxLength: 1 }),
    requirements: fc.record({
      deviceKind: fc.constantFrom('cpu', 'gpu'),
      deviceModel: fc.constantFrom('', 'x'),
      deviceMemoryMib: fc.integer({ min: 0, max: 3 }),
      cpuMillis: fc.integer({ min: 0, max: 3 }),
      memoryMib: fc.integer({ min: 0, max: 3 }),
      regions: fc.constantFrom([], ['eu']),
      maxPricePerSecondAtto: fc.bigInt({ min: 0n, max: 4n }),
    }),
  }),
  { maxLength: 12 },
);
const anySnapshot = fc.tuple(anyNodes, anyRequests).map(([nodes, requests]) => ({
  nodes: nodes.map(({ operator, price, region, ...total }, index) =>
    node(`n${index}`, { operatorId: `o${operator}`, pricePerSecondAtto: price, region, total }),
  ),
  requests: requests.map(({ operatorsExcluded, nodesExcluded, ...rest }) => ({
    ...rest,
    operatorsExcluded: new Set<string>(operatorsExcluded),
    nodesExcluded: new Set<string>(nodesExcluded),
  })),
}));

describe('whatever the nodes and requests', () => {
  test('a node never hosts more than it has', () => {
    fc.assert(
      fc.property(anySnapshot, ({ nodes, requests }) => {
        for (const { nodeId, total } of nodes) {
          const holds = place([...nodes], requests)
            .filter(p => p.nodeId === nodeId)
            .map(p => p.hold);
          const sum = (of: (hold: Placement['hold']) => number) =>
            holds.reduce((all, hold) => all + of(hold), 0);
          const devices = holds.flatMap(hold => hold.device ?? []);
          expect(sum(hold => hold.cpuMillis)).toBeLessThanOrEqual(total.cpuMillis);
          expect(sum(hold => hold.memoryMib)).toBeLessThanOrEqual(total.memoryMib);
          expect(new Set(devices).size).toBe(devices.length);
        }
      }),
    );
  });

  test('two replicas of a task are never on one operator', () => {
    fc.assert(
      fc.property(anySnapshot, ({ nodes, requests }) => {
        const pairs = place(nodes, requests).map(
          ({ request: { taskId }, operatorId }) => `${taskId} ${operatorId}`,
        );
        expect(new Set(pairs).size).toBe(pairs.length);
      }),
    );
  });

  test('what is placed breaks no filter, and no price is above the cap', () => {
    fc.assert(
      fc.property(anySnapshot, ({ nodes, requests }) => {
        for (const placement of place(nodes, requests)) {
          const { requirements, operatorsExcluded, nodesExcluded } = placement.request;
          const host = nodes.find(candidate => candidate.nodeId === placement.nodeId)!;
          expect(couldHost(requirements, host)).toBe(true);
          expect(placement.pricePerSecondAtto <= requirements.maxPricePerSecondAtto).toBe(true);
          expect(operatorsExcluded.has(placement.operatorId) || nodesExcluded.has(placement.nodeId)).toBe(
            false,
          );
        }
      }),
    );
  });

  test('the order in which nodes are listed changes nothing', () => {
    fc.assert(
      fc.property(anySnapshot, ({ nodes, requests }) => {
        expect(place([...nodes].reverse(), requests)).toEqual(place(nodes, requests));
      }),
    );
  });

  test('a node is excluded by some rule exactly when it could not host the replica empty', () => {
    fc.assert(
      fc.property(anySnapshot, ({ nodes, requests }) => {
        for (const { requirements } of requests)
          for (const one of nodes) {
            const excluding = Object.values(explain(requirements, [one])).some(count => count > 0);
            expect(excluding).toBe(!couldHost(requirements, one));
          }
      }),
    );
  });
});
