import type { JobSpec } from '@astro/messages/scheduling';
import { expect, test } from '@jest/globals';
import { saying, specOf, votesOf } from '../evidence/refuted-task.fixture.js';
import { auditedIn } from './audited.reader.js';

const verdict = votesOf([saying('a', 'd1'), saying('b', 'd1')]).at(-1)!;
if (verdict.type !== 'ResultVerified') throw new Error('the fixture has no verdict');
const spec: JobSpec = specOf({});
const audited = (changes: Partial<JobSpec>, fault: 'none' | 'program_trapped' = 'none') =>
  auditedIn({ ...verdict.data, fault }, { ...spec, ...changes });

test('what everybody who runs it again finds the same is audited, with all who claimed it', () => {
  const { program, tasks } = spec;
  expect(audited({})).toEqual({
    ...{ jobId: 'job_1', claimedDigest: 'd1' },
    claimants: ['a', 'b'].map(name => ({
      nodeId: `node_${name}`,
      operatorId: `operator_${name}`,
      leaseId: `lease_${name}`,
    })),
    work: { program, inputs: tasks[0]!.inputs, args: tasks[0]!.args },
  });
});

test('an encrypted job is not, for no validator can read it', () =>
  expect(
    audited({ encryption: { scheme: 'age', wrappedKey: 'key', outputRecipients: ['age1'] } }),
  ).toBeUndefined());

test('nor is what may end otherwise elsewhere, or was not asked for', () => {
  expect(audited({ program: { ...spec.program, runtime: 'process' } })).toBeUndefined();
  expect(audited({}, 'program_trapped')).toBeUndefined();
  expect(audited({ tasks: [] })).toBeUndefined();
});
