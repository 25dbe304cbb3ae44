import { describe, expect, test } from '@jest/globals';
import type { TaskCompleted } from '@astro/messages/agent';
import { checkpointOf, completionOf, failureOf, startOf } from './agent-reports.commands.js';
import { resultDigest } from '@astro/messages/result-digest';

const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const origin = { nodeId: 'node_a', at: new Date(5) };
const outputs = [
  { name: 'weights.bin', cid, sizeBytes: 9 },
  { name: 'log.txt', cid, sizeBytes: 1 },
];
const lease = { poolId: 'main', leaseId: 'lease_1', fencingToken: 7 };
const report: TaskCompleted = { ...lease, fault: 'none', digest: resultDigest('none', outputs), outputs };

describe('the digest of a result', () => {
  test('is fixed, because agents of all versions must compute the same', () =>
    expect(resultDigest('none', outputs)).toBe(
      '3095d4415d26e6cefca82609149350e1d3e35b72edd9f9fcf63c8ecb15e77417',
    ));
  test('does not depend on the order of outputs, nor on what a node says of their size', () => {
    const reversed = [...outputs].reverse().map(output => ({ ...output, sizeBytes: 0 }));
    expect(resultDigest('none', reversed)).toBe(report.digest);
  });
  test('depends on the fault, the names and the content', () => {
    const [first, second] = outputs as [(typeof outputs)[0], (typeof outputs)[0]];
    const others = [
      resultDigest('program_trapped', outputs),
      resultDigest('none', [first]),
      resultDigest('none', [first, { ...second, name: 'log2.txt' }]),
      resultDigest('none', [first, { ...second, cid: cid.replace('z', 'a') }]),
    ];
    expect(new Set([report.digest, ...others]).size).toBe(5);
  });
});

describe('a report becomes a command', () => {
  test('a checkpoint that nobody could fetch is a failure of the node', () => {
    const told = { ...lease, checkpoint: { cid, sizeBytes: 9 } };
    const from = { ...lease, ...origin };
    expect(checkpointOf(told, origin)).toEqual({
      type: 'CheckpointLease',
      data: { ...from, checkpoint: told.checkpoint },
    });
    expect(checkpointOf({ ...lease, checkpoint: { cid: '../x', sizeBytes: 9 } }, origin)).toEqual({
      type: 'FailLease',
      data: { ...from, reason: 'a checkpoint has no content id' },
    });
  });

  test('with the node of its subject and the time of the bus', () => {
    const data = { ...lease, nodeId: 'node_a', at: origin.at };
    expect(startOf(lease, origin)).toEqual({ type: 'StartLease', data });
    const result = { fault: 'none', digest: report.digest, outputs };
    expect(completionOf(report, origin)).toEqual({ type: 'CompleteLease', data: { ...data, ...result } });
  });
  test('a failure says why, within limits', () =>
    expect(failureOf({ ...lease, reason: 'x'.repeat(9_999) }, origin)).toEqual({
      type: 'FailLease',
      data: { ...lease, ...origin, reason: 'x'.repeat(500) },
    }));

  const many = Array.from({ length: 65 }, (_, index) => ({ name: `o${index}`, cid, sizeBytes: 1 }));
  const withOutputs = (changed: TaskCompleted['outputs']) => ({
    outputs: changed,
    digest: resultDigest('none', changed),
  });
  test.each<[string, Partial<TaskCompleted>]>([
    ['the report has no fault', { fault: 'unspecified' }],
    ['more than 64 outputs', withOutputs(many)],
    ['an output has no file name', withOutputs([{ name: '../x', cid, sizeBytes: 1 }])],
    ['two outputs have one name', withOutputs([outputs[0]!, outputs[0]!])],
    ['an output has no content id', withOutputs([{ name: 'x', cid: 'x', sizeBytes: 1 }])],
    ['the digest is not 64 hexadecimal digits', { digest: report.digest.toUpperCase() }],
    ['digest does not match outputs', { outputs: outputs.slice(1) }],
    ['digest does not match outputs', { fault: 'program_trapped' }],
    ...[-1, NaN, 0.5, 2 ** 64].map((fetchedBytes): [string, Partial<TaskCompleted>] => [
      'transferred.fetchedBytes: must be a whole number from 0 to below 2^53',
      { transferred: { fetchedBytes, uploadedBytes: 0 } },
    ]),
    [
      'transferred.uploadedBytes: must be a whole number from 0 to below 2^53',
      { transferred: { fetchedBytes: 0, uploadedBytes: Infinity } },
    ],
  ])('an unsound result is a failure of the node: %s', (reason, change) =>
    expect(completionOf({ ...report, ...change }, origin)).toEqual({
      type: 'FailLease',
      data: { ...lease, ...origin, reason },
    }),
  );
});
