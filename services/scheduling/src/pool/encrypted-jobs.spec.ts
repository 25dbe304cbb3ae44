import { describe, expect, test } from '@jest/globals';
import { flawOf } from '../job/job-limits.js';
import { assignmentsOf } from '../desired-state.js';
import type { CompleteLease, Encryption, JobSpec, PoolCommand } from '@astro/messages/scheduling';
import {
  admit,
  after,
  at,
  complete,
  grantsIn,
  patienceMs,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';

const encryption: Encryption = {
  scheme: 'age',
  wrappedKey: 'YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==',
  outputRecipients: [`age1${'q'.repeat(58)}`],
};
const only = (...nodeIds: readonly string[]) => ({ nodes: { nodeIds } });
/** Encrypted to one node, which is not the one that everything else speaks for. */
const sealed = (change: Partial<JobSpec> = {}): JobSpec => {
  const spec = specOf(['task_1'], only('node_b'), 1);
  const [task] = spec.tasks;
  const inputs = task!.inputs.map(input => ({ ...input, isEncrypted: true }));
  return { ...spec, tasks: [{ ...task!, inputs }], encryption, ...change };
};
const nodes = [admit('node_a'), admit('node_b', { pricePerSecondAtto: 9n })];
const placed = (spec: JobSpec) => [...nodes, queue('job_1', spec), tick(at(0))];

describe('a job that names its nodes', () => {
  test('runs on those, however much better another would suit', () => {
    const grantedTo = (spec: JobSpec) => grantsIn(after(...placed(spec)).events).map(({ nodeId }) => nodeId);
    expect(grantedTo(specOf(['task_1'], {}, 1))).toEqual(['node_a']);
    expect(grantedTo(specOf(['task_1'], only('node_b', 'node_c'), 1))).toEqual(['node_b']);
    expect(grantedTo(specOf(['task_1'], only('node_b', 'node_a'), 2)).sort()).toEqual(['node_a', 'node_b']);
  });

  test('waits for them while they are away, and is given up when they stay so', () => {
    const waiting = [...nodes, queue('job_1', specOf(['task_1'], only('node_c'), 1)), tick(at(0))];
    expect(grantsIn(after(...waiting).events)).toEqual([]);
    expect(after(...waiting, tick(at(patienceMs + 1))).events.at(-1)).toMatchObject({
      type: 'JobAbandoned',
      data: { reason: 'no_eligible_node', detail: expect.stringContaining('node excludes 2') as unknown },
    });
    const came = [...waiting, admit('node_c'), tick(at(1))];
    expect(grantsIn(after(...came).events)).toMatchObject([{ nodeId: 'node_c' }]);
  });
});

describe('the result of an encrypted job', () => {
  const [grant] = grantsIn(after(...placed(sealed())).events);
  const lastOf = (spec: JobSpec, change: Partial<CompleteLease>) => {
    const done = complete(grant!, at(2)) as Extract<PoolCommand, { type: 'CompleteLease' }>;
    const command = { ...done, data: { ...done.data, ...change } };
    return after(...placed(spec), start(grant!, at(1)), command).events.at(-1);
  };
  const outputs = (sizeBytes: number) => [{ name: 'answer', cid: specOf([]).program.cid, sizeBytes }];

  test('is said by the pool to be ciphertext, whatever the node says', () =>
    expect(lastOf(sealed(), { isEncrypted: true })).toMatchObject({
      type: 'LeaseCompleted',
      data: { result: { isEncrypted: true } },
    }));
  test('is none in clear', () =>
    expect(lastOf(sealed(), {})).toMatchObject({ data: { reason: 'the outputs are in clear' } }));
  test('is none of a job in clear', () => {
    const clear = sealed({ tasks: specOf(['task_1']).tasks });
    const { encryption: _encryption, ...spec } = clear;
    expect(lastOf(spec, { isEncrypted: true })).toMatchObject({
      data: { reason: 'the outputs are encrypted' },
    });
  });
  test('may be larger than its outputs by what encryption adds', () => {
    const { outputLimitBytes } = sealed().program;
    const limits = { isEncrypted: true, outputs: outputs(outputLimitBytes + 1_000) };
    expect(lastOf(sealed(), limits)).toMatchObject({ type: 'LeaseCompleted' });
    expect(lastOf(sealed(), { ...limits, outputs: outputs(outputLimitBytes + 2_000) })).toMatchObject({
      type: 'LeaseFailed',
    });
  });
});

test('a node learns with the lease how to read its data', () => {
  const { state } = after(...placed(sealed()));
  expect(assignmentsOf(state, poolId, 'node_b')).toMatchObject([
    { encryption, inputs: [{ isEncrypted: true }] },
  ]);
});

describe('of an encrypted job is refused', () => {
  const flawed = (change: Partial<JobSpec>) => flawOf(sealed(change));
  const [recipient] = encryption.outputRecipients;

  test('nothing that is sound', () => expect(flawed({})).toBeUndefined());
  test.each<readonly [string, Partial<JobSpec>, string]>([
    ['no nodes', { requirements: specOf([]).requirements }, 'spec.requirements.nodes: '],
    ['fewer nodes than must agree', { quorum: 2 }, 'spec.requirements.nodes.nodeIds: '],
    [
      'a node twice',
      { requirements: { ...specOf([]).requirements, ...only('n', 'n') } },
      'spec.requirements.nodes.nodeIds: ',
    ],
    ['another scheme', { encryption: { ...encryption, scheme: 'unspecified' } }, 'spec.encryption.scheme: '],
    [
      'a key that is no base64',
      { encryption: { ...encryption, wrappedKey: '-' } },
      'spec.encryption.wrappedKey: ',
    ],
    [
      'no recipient',
      { encryption: { ...encryption, outputRecipients: [] } },
      'spec.encryption.outputRecipients: ',
    ],
    [
      'a malformed recipient',
      { encryption: { ...encryption, outputRecipients: [recipient!, 'age1b'] } },
      'spec.encryption.outputRecipients[1]: ',
    ],
    ['a state half-way', { checkpoints: { everyMs: 1_000, sizeLimitBytes: 1 } }, 'spec.checkpoints: '],
  ])('%s', (_title, change, field) =>
    expect(flawed(change)).toMatch(new RegExp(`^${field.replaceAll(/[.[\]]/g, '\\$&')}`)),
  );
  test('an encrypted input without it', () => {
    const { encryption: _encryption, ...clear } = sealed();
    expect(flawOf(clear)).toMatch(/^spec\.tasks\[0\]\.inputs: /);
    const program = { ...clear.program, isEncrypted: true };
    expect(flawOf({ ...clear, program })).toMatch(/^spec\.program\.isEncrypted: /);
  });
});
