import { expect, test } from '@jest/globals';
import { after } from '../pool/pool-examples.js';
import { learnedPolicyOf } from '../pool/learning/learned-policy.js';
import { examplePolicy, taught } from '../pool/learning/learning.fixture.js';
import { lessonOf } from '../pool/learning/lesson.js';
import { learnFrom } from './learning-thread.loop.js';

const lesson = lessonOf(after(...taught).state)!;
const { signal } = new AbortController();

test('another thread learns what this one would, the same each time', async () => {
  for (const round of [1, 2]) {
    const learned = await learnFrom(lesson, 30_000, signal);
    expect([round, learnedPolicyOf(learned.lesson, learned.values, 2)]).toEqual([round, examplePolicy]);
  }
});

test('what takes too long is ended', async () => {
  await expect(learnFrom(lesson, 1, signal)).rejects.toThrow('nothing was learned in 1 ms');
});

test('what nobody waits for any more is ended', async () => {
  const stopping = new AbortController();
  const learning = learnFrom(lesson, 30_000, stopping.signal);
  stopping.abort(new Error('the service stops'));
  await expect(learning).rejects.toThrow('the service stops');
  await expect(learnFrom(lesson, 30_000, stopping.signal)).rejects.toThrow('the service stops');
});

test('a lesson that cannot be learned fails here, and nothing else with it', async () => {
  const [{ shape } = { shape: undefined }] = lesson.fleet;
  const endless = { ...lesson, fleet: [{ shape: shape!, count: NaN }] };
  await expect(learnFrom(endless, 30_000, signal)).rejects.toThrow();
});
