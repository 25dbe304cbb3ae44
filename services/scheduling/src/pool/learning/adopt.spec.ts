import { describe, expect, test } from '@jest/globals';
import { decode, encode } from '@astro/messages/codec';
import type { LearnedPolicy, PoolCommand } from '@astro/messages/scheduling';
import { pool } from '../pool.js';
import { after, at, tick } from '../pool-examples.js';
import type { Pool } from '../pool-state.js';
import { adopt, examplePolicy, learnedIn, queueAsks, taught } from './learning.fixture.js';

const POLICY = 'astro.scheduling.v1.LearnedPolicy';
const decide = (command: PoolCommand, state: Pool) => pool.decide(command, state);
const [demand] = examplePolicy.demands;
const [scenario] = examplePolicy.scenarios;

describe('a learned policy', () => {
  test('is adopted as it is', () => {
    expect(decide(adopt(examplePolicy), after(...taught).state)).toEqual({
      accepted: true,
      events: [{ type: 'PolicyAdopted', data: { poolId: 'main', policy: examplePolicy } }],
    });
  });

  test('is adopted once', () => {
    const { state } = after(...taught, adopt(examplePolicy));
    const bytes = encode(POLICY, examplePolicy);
    expect(decide(adopt(decode(POLICY, bytes) as LearnedPolicy), state)).toEqual({
      accepted: true,
      events: [],
    });
  });

  test('is refused when the pool has adopted another one since it was learned', () => {
    const { state } = after(...taught, adopt(examplePolicy));
    const other = { ...examplePolicy, scenarios: examplePolicy.scenarios.toReversed() };
    expect(decide(adopt(other), state)).toEqual({
      accepted: false,
      rejection: 'PolicyIsStale',
      detail: 'version: 2 is not the next one, 3',
    });
    expect(decide(adopt({ ...other, version: 3 }), state)).toMatchObject({ accepted: true });
  });

  test('is what grants and explanations name from then on', () => {
    const before = after(...taught, tick(at(0)));
    expect(before.events.at(-1)).toMatchObject({ data: { policy: 'tight-fit/1', weightsVersion: 1 } });
    const then = after(...taught, adopt(examplePolicy), tick(at(0)));
    expect(then.events.at(-1)).toMatchObject({
      type: 'LeasesGranted',
      data: { policy: 'astro/1', weightsVersion: 2 },
    });
    const question = { poolId: 'main', tenantId: 'tenant_1', jobId: 'job_whole', taskId: '', now: at(0) };
    const asked = decide({ type: 'ExplainTask', data: question }, then.state);
    expect(JSON.parse((asked.accepted && asked.answer) || '')).toMatchObject({
      policy: 'astro/1',
      weightsVersion: 2,
    });
  });

  test('comes back from its bytes and from a snapshot, and decides what it decided', () => {
    const written = decode(POLICY, encode(POLICY, examplePolicy)) as LearnedPolicy;
    expect(written).toEqual(examplePolicy);
    const expected = decide(tick(at(0)), after(...taught, adopt(examplePolicy)).state);
    const { state } = after(...taught, adopt(written));
    expect(decide(tick(at(0)), state)).toEqual(expected);
    const { encode: write, decode: read } = pool.snapshot!;
    expect(decide(tick(at(0)), read(write(state)))).toEqual(expected);
    expect(decide(tick(at(0)), after(...taught).state)).not.toEqual(expected);
  });

  test('is learned anew from what a pool has seen, whatever it was rebuilt from', () => {
    const { state } = after(
      ...taught,
      adopt(examplePolicy),
      queueAsks('job_more', 50, { vcpu: 1, devices: 1, share: 100 }),
    );
    const { encode: write, decode: read } = pool.snapshot!;
    expect(learnedIn(read(write(state)))).toEqual(learnedIn(state));
  });

  const flawed: readonly (readonly [string, Partial<LearnedPolicy>])[] = [
    ["name: 'other/1' is not astro/1", { name: 'other/1' }],
    ['version: 1 is not a whole number from 2 up', { version: 1 }],
    ['demands: 0 entries are not 1 to 128', { demands: [] }],
    ['scenarios: 0 entries are not 1 to 64', { scenarios: [] }],
    ['fleet: 0 entries are not 1 to 128', { fleet: [] }],
    ['demands[0].unitCount: 65 is not 0 to 64', withDemand({ unitCount: 65 })],
    ['demands[0].kind: units are asked for, but of no kind', withDemand({ kind: 'unspecified' })],
    ['demands[0].shareThousandths: 1001 is not 1 to 1000', withDemand({ shareThousandths: 1_001 })],
    ['demands[0].models: 65 entries are not 0 to 64', withDemand({ models: Array<string>(65).fill('T4') })],
    ['demands[0].vendor: 257 characters are more than 256', withDemand({ vendor: 'v'.repeat(257) })],
    ['demands[0].models: 257 characters are more than 256', withDemand({ models: ['v'.repeat(257)] })],
    ['demands[0].rate: 0 is not above 0', withDemand({ rate: 0 })],
    ['demands[0].probability: NaN is not 0 to 1', withDemand({ probability: NaN })],
    ['demands[0].scarcity: Infinity is not from 0 up', withDemand({ scarcity: Infinity })],
    ['demands.probability: they sum to', withDemand({ probability: 0 })],
    ['scenarios[0].weight: -1 is not 0 to 1', withScenario({ weight: -1 })],
    ['scenarios.weight: they sum to', withScenario({ weight: 0.9 })],
    ['scenarios[0].worth: 1 entries for', withScenario({ worth: [1] })],
    ['scenarios[0].isPresent: 1 entries for', withScenario({ isPresent: [true] })],
    ['scenarios[0].worth[1]: NaN is not a number', withScenario({ worth: scenario!.worth.with(1, NaN) })],
    ['fleet[0].digest: not shape_ and 26 digits', withShape({ digest: 'A' })],
    ['fleet[0].nodes: 0 is not from 1 up', withShape({ nodes: 0 })],
    ['fleet[0].units: 65 is not 0 to 64', withShape({ units: 65 })],
  ];
  test.each(flawed)('is refused with the field that is wrong: %s', (detail, change) => {
    expect(decide(adopt({ ...examplePolicy, ...change }), after(...taught).state)).toEqual({
      accepted: false,
      rejection: 'PolicyIsInvalid',
      detail: expect.stringContaining(detail),
    });
  });
});

function withDemand(change: Partial<LearnedPolicy['demands'][number]>): Partial<LearnedPolicy> {
  return { demands: examplePolicy.demands.with(0, { ...demand!, ...change }) };
}
function withScenario(change: Partial<LearnedPolicy['scenarios'][number]>): Partial<LearnedPolicy> {
  return { scenarios: examplePolicy.scenarios.with(0, { ...scenario!, ...change }) };
}
function withShape(change: Partial<LearnedPolicy['fleet'][number]>): Partial<LearnedPolicy> {
  return { fleet: examplePolicy.fleet.with(0, { ...examplePolicy.fleet[0]!, ...change }) };
}
