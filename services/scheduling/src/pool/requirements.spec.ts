import { describe, expect, test } from '@jest/globals';
import type { JobSpec, PoolCommand, Requirements } from '@astro/messages/scheduling';
import type { Device, Offer } from '@astro/messages/registry';
import { plainDevice } from '@astro/messages/unconstrained';
import { evolve } from './evolve.js';
import { decideTick } from './grants.js';
import {
  admit,
  after,
  at,
  closeTask,
  complete,
  fail,
  grantsIn,
  offerOf,
  patienceMs,
  queue,
  specOf,
  start,
  tick,
  timeLimitMs,
  withdraw,
} from './pool-examples.js';
import { emptyPool } from './pool-state.js';

const leaseMs = timeLimitMs + 30_000;
const gpu: Device = {
  ...plainDevice,
  kind: 'gpu',
  vendor: 'nvidia',
  model: 'A100',
  memoryMib: 40_960,
  isShareable: true,
};
const withDevices = (nodeId: string, devices: readonly Device[], change: Partial<Offer> = {}) => {
  const { inventory } = offerOf(nodeId);
  return admit(nodeId, { inventory: { ...inventory, devices, cpuMillis: 8_000 }, ...change });
};
const taskIds = (count: number) => Array.from({ length: count }, (_, index) => `task_${index + 1}`);
const job = (
  jobId: string,
  count: number,
  needs: Partial<Requirements>,
  change: Partial<JobSpec> = {},
  queuedAt = at(0),
) => queue(jobId, { ...specOf(taskIds(count), needs, 1), ...change }, queuedAt);
const onGpu = { deviceKind: 'gpu', cpuMillis: 100, memoryMib: 100 } as const;

/** Node of each grant, in their order. */
const nodesOf = (...commands: readonly PoolCommand[]) =>
  grantsIn(after(...commands).events).map(({ nodeId }) => nodeId);

describe('devices', () => {
  test('are held whole by default, and what is left over waits', () => {
    const commands = [withDevices('node_a', [gpu, gpu]), job('job_1', 3, onGpu), tick(at(0))];
    const grants = grantsIn(after(...commands).events);
    expect(grants.map(({ units }) => units)).toEqual([
      [{ device: 0, shareThousandths: 1_000 }],
      [{ device: 1, shareThousandths: 1_000 }],
    ]);
  });
  test('are shared in thousandths, and cost their share', () => {
    const half = { ...onGpu, deviceShareThousandths: 500 };
    const grants = grantsIn(after(withDevices('node_a', [gpu]), job('job_1', 3, half), tick(at(0))).events);
    expect(grants.map(({ pricePerSecondAtto }) => pricePerSecondAtto)).toEqual([3n, 3n]);
  });
  test('are not shared where their operator does not offer it', () => {
    const half = { ...onGpu, deviceShareThousandths: 500 };
    expect(
      nodesOf(withDevices('node_a', [{ ...gpu, isShareable: false }]), job('job_1', 1, half), tick(at(0))),
    ).toEqual([]);
  });
  test('are handed out in slices of the profile that is asked for', () => {
    const slices = [
      { profile: '3g.20gb', memoryMib: 20_480 },
      { profile: '1g.5gb', memoryMib: 5_120 },
    ];
    const sliced = withDevices('node_a', [{ ...gpu, isShareable: false, slices }]);
    const commands = [sliced, job('job_1', 2, { ...onGpu, sliceProfile: '3g.20gb' }), tick(at(0))];
    expect(grantsIn(after(...commands).events).map(({ units }) => units)).toEqual([
      [{ device: 0, slice: 0, shareThousandths: 1_000 }],
    ]);
  });
  test('several come from one node, behind one link where that is asked for, and cost as many', () => {
    const linked = withDevices('node_b', [
      { ...gpu, interconnect: 'x' },
      { ...gpu, interconnect: 'x' },
    ]);
    const nodes = [withDevices('node_a', [gpu, gpu]), linked];
    const needs = { ...onGpu, deviceCount: 2, isInterconnected: true };
    const grants = grantsIn(after(...nodes, job('job_1', 1, needs), tick(at(0))).events);
    expect(grants).toMatchObject([{ nodeId: 'node_b', pricePerSecondAtto: 10n }]);
    expect(nodesOf(...nodes, job('job_1', 1, { ...needs, maxPricePerSecondAtto: 9n }), tick(at(0)))).toEqual(
      [],
    );
  });
  test('of a grant that was recorded before devices were counted are found again', () => {
    const { events } = after(withDevices('node_a', [gpu]), job('job_1', 2, onGpu), tick(at(0)));
    const old = events.map(event =>
      event.type === 'LeasesGranted'
        ? {
            ...event,
            data: { ...event.data, grants: event.data.grants.map(grant => ({ ...grant, units: [] })) },
          }
        : event,
    );
    const state = old.reduce((pool, event) => evolve(pool, event), emptyPool());
    expect(decideTick(state, at(1)).grants).toEqual([]);
  });
});

describe('where a task may run', () => {
  test.each<[string, Partial<Requirements>, readonly string[]]>([
    ['a region', { regions: ['us-east-1'] }, ['node_us']],
    ['not a region', { regionsDenied: ['us-east-1'] }, ['node_de']],
    ['a country', { countries: ['de'] }, ['node_de']],
    ['not a country', { countriesDenied: ['de'] }, ['node_us']],
    ['a disk', { diskMib: 20_000 }, []],
    ['a network', { bandwidthMbps: 1 }, []],
    ['another vendor', { deviceVendor: 'intel' }, []],
  ])('%s', (_title, needs, nodes) => {
    const fleet = [admit('node_de'), admit('node_us', { region: 'us-east-1' })];
    expect(nodesOf(...fleet, job('job_1', 1, needs), tick(at(0)))).toEqual(nodes);
  });
  test('only on nodes that have kept their leases', () => {
    const fleet = [admit('node_a')];
    const spoilt = [...fleet, job('job_1', 1, {}), tick(at(0))];
    const failed = [...spoilt, fail(grantsIn(after(...spoilt).events)[0]!)];
    const careful = job('job_2', 1, { minReliabilityThousandths: 900 });
    expect(nodesOf(...fleet, careful, tick(at(1)))).toEqual(['node_a']);
    expect(nodesOf(...failed, careful, tick(at(1)))).toEqual(['node_a']);
    expect(after(...failed, careful, tick(at(1))).state.jobs.get('job_2')!.leases.size).toBe(0);
  });
  test('not on a node that will be maintained before it has ended', () => {
    const maintenance = [{ from: at(timeLimitMs - 1), until: at(60_000) }];
    const fleet = [admit('node_a', { maintenance })];
    expect(nodesOf(...fleet, job('job_1', 1, {}), tick(at(0)))).toEqual([]);
    expect(nodesOf(...fleet, job('job_1', 1, {}, { expectedDurationMs: 1_000 }), tick(at(0)))).toEqual([
      'node_a',
    ]);
    expect(nodesOf(...fleet, job('job_1', 1, {}), tick(at(60_000)))).toEqual(['node_a']);
  });
});

describe('a deadline', () => {
  const deadline = at(timeLimitMs);
  test('is kept: a task that would end later is not begun, and its job is given up', () => {
    expect(nodesOf(admit('node_a'), job('job_1', 1, {}, { deadline }), tick(at(0)))).toEqual(['node_a']);
    const { events } = after(admit('node_a'), job('job_1', 1, {}, { deadline }), tick(at(1)));
    expect(events.at(-1)).toMatchObject({ type: 'JobAbandoned', data: { reason: 'deadline_unmet' } });
  });
});

describe('an array', () => {
  test('has only so many tasks under way, and the next begins when one has ended', () => {
    const commands = [admit('node_a'), job('job_1', 3, { cpuMillis: 100 }, { maxParallel: 2 }), tick(at(0))];
    const grants = grantsIn(after(...commands).events);
    expect(grants.map(({ taskId }) => taskId)).toEqual(['task_1', 'task_2']);
    const done = [...commands, start(grants[0]!, at(1)), complete(grants[0]!, at(2))];
    expect(nodesOf(...done, tick(at(3)))).toHaveLength(2);
    const closed = [...done, closeTask('job_1', 'task_1'), tick(at(3))];
    expect(grantsIn(after(...closed).events).at(-1)?.taskId).toBe('task_3');
  });
});

describe('a gang', () => {
  const gang = (topology: 'any' | 'node' | 'region') => ({ gang: { topology } });
  const member = { cpuMillis: 1_000 };
  test('starts whole', () => {
    const fleet = [admit('node_a'), admit('node_b')];
    expect(nodesOf(...fleet, job('job_1', 4, member, gang('any')), tick(at(0)))).toHaveLength(4);
  });
  test('or not at all', () => {
    const fleet = [admit('node_a'), admit('node_b')];
    expect(nodesOf(...fleet, job('job_1', 5, member, gang('any')), tick(at(0)))).toEqual([]);
  });
  test('on one node, or in one region, where that is asked for', () => {
    const fleet = [
      admit('node_a'),
      admit('node_b', { region: 'us-east-1' }),
      admit('node_c', { region: 'us-east-1' }),
    ];
    expect(nodesOf(...fleet, job('job_1', 3, member, gang('node')), tick(at(0)))).toEqual([]);
    const placed = nodesOf(...fleet, job('job_1', 3, member, gang('region')), tick(at(0)));
    expect([...new Set(placed)].sort()).toEqual(['node_b', 'node_c']);
  });
  test('that the pool could not host if it were empty is given up after its patience', () => {
    const commands = [admit('node_a'), job('job_1', 3, member, gang('node')), tick(at(patienceMs + 1))];
    expect(after(...commands).events.at(-1)).toMatchObject({
      type: 'JobAbandoned',
      data: { reason: 'no_eligible_node', detail: expect.stringContaining('all 3 tasks of the gang') },
    });
  });
  test('that lost a member gets it back beside the others', () => {
    const fleet = [admit('node_a'), admit('node_b')];
    const commands = [...fleet, job('job_1', 2, { cpuMillis: 500 }, gang('node')), tick(at(0))];
    const [first] = grantsIn(after(...commands).events);
    // The lost member may not go back to the node that failed it, nor anywhere but where the gang is.
    expect(nodesOf(...commands, fail(first!), tick(at(1)))).toHaveLength(2);
  });
  test('that lost two members gets both back or none, although only one was failed by its node', () => {
    const fleet = [admit('node_a'), admit('node_b')];
    const commands = [...fleet, job('job_1', 2, { cpuMillis: 1_100 }, gang('any')), tick(at(0))];
    const [ofA, ofB] = grantsIn(after(...commands).events);
    expect([ofA?.nodeId, ofB?.nodeId]).toEqual(['node_a', 'node_b']);
    const lost = [...commands, withdraw('node_a'), fail(ofB!), admit('node_a')];
    expect(nodesOf(...lost, tick(at(1)))).toHaveLength(2);
    expect(nodesOf(...lost, admit('node_c'), tick(at(1)))).toHaveLength(4);
    const late = tick(at(patienceMs + 1));
    expect(after(...lost, late).events.at(-1)).toMatchObject({
      data: { reason: 'attempts_exhausted', detail: expect.stringContaining('without a node that failed') },
    });
  });
});

describe('the order of the queue', () => {
  const one = admit('node_a');
  const whole = { cpuMillis: 2_000 };
  test('a higher priority goes first', () => {
    const commands = [one, job('job_1', 1, whole), job('job_2', 1, whole, { priority: 5 }), tick(at(0))];
    expect(grantsIn(after(...commands).events)[0]?.jobId).toBe('job_2');
  });
  test('who has used less goes first', () => {
    const rich = [one, job('job_1', 1, whole), tick(at(0))];
    const [grant] = grantsIn(after(...rich).events);
    const used = [...rich, start(grant!, at(1)), job('job_2', 1, whole, {}, at(leaseMs - 20))];
    const poor = queue('job_3', specOf(taskIds(1), whole, 1), at(leaseMs - 10), 'tenant_2');
    const commands = [...used, poor, complete(grant!, at(leaseMs - 5)), tick(at(leaseMs))];
    expect(grantsIn(after(...commands).events).at(-1)?.jobId).toBe('job_3');
  });
  test('what has waited long is not passed by what would delay it, only by what is gone in time', () => {
    const fleet = [admit('node_a'), admit('node_b')];
    const longRunning = { program: { ...specOf([]).program, timeLimitMs: 3_600_000 } };
    const blocked = [
      ...fleet,
      job('job_0', 1, { cpuMillis: 1_000 }, longRunning),
      tick(at(0)),
      job('job_1', 2, whole, { ...longRunning, gang: { topology: 'any' } }, at(1)),
    ];
    const long = job('job_2', 1, { cpuMillis: 500 }, longRunning, at(2));
    const short = job('job_3', 1, { cpuMillis: 500 }, {}, at(3));
    // A moment later everything may still pass; after half a minute only the short one may.
    expect(nodesOf(...blocked, long, short, tick(at(100)))).toHaveLength(3);
    const { events } = after(...blocked, long, short, tick(at(40_000)));
    expect(grantsIn(events).map(({ jobId }) => jobId)).toEqual(['job_0', 'job_3']);
  });
});

describe('a program', () => {
  const offering = (nodeId: string, runtimes: readonly string[]) =>
    admit(nodeId, { inventory: { ...offerOf(nodeId).inventory, runtimes } });
  const fleet = [
    offering('node_a', ['wasm']),
    offering('node_b', ['wasm', 'process']),
    offering('node_c', ['wasm', 'process', 'process+network', 'container']),
  ];
  const withProgram = (program: Partial<JobSpec['program']>) => ({
    program: { ...specOf(taskIds(1), {}, 1).program, ...program },
  });

  const granted = (program: Partial<JobSpec['program']>) =>
    [...new Set(nodesOf(...fleet, job('job_1', 9, {}, withProgram(program)), tick(at(0))))].sort();

  test('goes only where its runtime is offered', () => {
    expect(granted({})).toEqual(['node_a', 'node_b', 'node_c']);
    expect(granted({ runtime: 'wasm' })).toEqual(['node_a', 'node_b', 'node_c']);
    expect(granted({ runtime: 'process' })).toEqual(['node_b', 'node_c']);
    expect(granted({ runtime: 'container', image: 'model@sha256:0' })).toEqual(['node_c']);
  });
  test('that needs a network goes only where the operator allows one', () => {
    expect(granted({ runtime: 'process', needsNetwork: true })).toEqual(['node_c']);
    expect(granted({ runtime: 'container', needsNetwork: true, image: 'model@sha256:0' })).toEqual([]);
  });
});
