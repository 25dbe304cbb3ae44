import { randomBytes } from 'node:crypto';
import { answerTo, check, type Challenge } from '@astro/verification/proof-of-computation/challenge';
import { median, durationsMs } from '../measure.js';

const SIZE = 1_024;
const ANSWERS = 3;
const CHECKS = 15;

const seed = () => randomBytes(16).toString('hex');

/** How many times as long the work of a proof of computation takes as its check, both of them from the seed. */
export async function freivaldsRatio(): Promise<{
  readonly ratio: number;
  readonly workMs: number;
  readonly checkMs: number;
}> {
  const challenge: Challenge = { seed: seed(), size: SIZE, answerWithinMs: 600_000 };
  const answer = answerTo(challenge);
  const work = await durationsMs(ANSWERS, async () => void answerTo(challenge));
  const checks = await durationsMs(CHECKS, async () => {
    const verdict = check(challenge, answer, { draw: seed(), tookMs: 1 });
    if (verdict.status !== 'passed') throw new Error(verdict.why);
  });
  const [workMs, checkMs] = [median(work), median(checks)];
  return { ratio: workMs / checkMs, workMs, checkMs };
}
