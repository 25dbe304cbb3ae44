import { expect, test } from '@jest/globals';
import { encryptTo, newAgeIdentity, recipientOf } from './age.js';
import { JobKey, wrapJobKey } from './job-key.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const output = { name: 'answer', bytes: bytesOf('yes') };

test('whoever it was wrapped for unwraps the key of a job and reads what was encrypted to it', async () => {
  const [job, node, earlier, stranger] = await Promise.all(Array.from({ length: 4 }, newAgeIdentity));
  const wrappedKey = await wrapJobKey(job!, [await recipientOf(node!)]);
  const key = await JobKey.unwrap({ wrappedKey }, [earlier!, node!]);
  const input = await encryptTo([await recipientOf(job!)], bytesOf('a secret'));
  expect(new TextDecoder().decode(await key.decrypt(input))).toBe('a secret');
  await expect(JobKey.unwrap({ wrappedKey }, [stranger!])).rejects.toMatchObject({ name: 'Undecipherable' });
});

test('what is wrapped and no key is refused', async () => {
  const node = await newAgeIdentity();
  const wrappedKey = await wrapJobKey('AGE-SECRET-KEY-1NONSENSE', [await recipientOf(node)]);
  await expect(JobKey.unwrap({ wrappedKey }, [node])).rejects.toMatchObject({ name: 'Undecipherable' });
});

test('a result has the same digest for all who have the key, whatever the order of its files', async () => {
  const identity = await newAgeIdentity();
  const other = { name: 'log', bytes: bytesOf('…') };
  const digest = new JobKey(identity).resultDigest('task_1', 'none', [output, other]);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(new JobKey(identity).resultDigest('task_1', 'none', [other, output])).toBe(digest);
});

test('task, fault, names, bytes and key all count in the digest', async () => {
  const [key, another] = [new JobKey(await newAgeIdentity()), new JobKey(await newAgeIdentity())];
  const digests = [
    key.resultDigest('task_1', 'none', [output]),
    key.resultDigest('task_2', 'none', [output]),
    key.resultDigest('task_1', 'program_trapped', [output]),
    key.resultDigest('task_1', 'none', [{ ...output, name: 'other' }]),
    key.resultDigest('task_1', 'none', [{ ...output, bytes: bytesOf('no') }]),
    another.resultDigest('task_1', 'none', [output]),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});
