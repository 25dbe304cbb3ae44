import { randomBytes } from 'node:crypto';
import { answerTo, check, type Challenge } from '@astro/verification/proof-of-computation/challenge';
import { median } from '../measure.js';

const SIZE = 1_024;
const ANSWERS = 3;
const CHECKS = 25;

const seed = () => randomBytes(16).toString('hex');

export type Costs = { readonly ratio: number; readonly workMs: number; readonly checkMs: number };

/** How many times the processor time of its check the work of a proof of computation takes, both from the seed. */
export function freivaldsRatio(): Costs {
  const challenge: Challenge = { seed: seed(), size: SIZE, answerWithinMs: 600_000 };
  const answer = answerTo(challenge);
  const workMs = processorMs(ANSWERS, () => answerTo(challenge));
  const checkMs = processorMs(CHECKS, () => {
    const verdict = check(challenge, answer, { draw: seed(), tookMs: 1 });
    if (verdict.status !== 'passed') throw new Error(verdict.why);
  });
  return { ratio: workMs / checkMs, workMs, checkMs };
}

/** What one of so many takes, in the median: processor time, so that others on the machine do not count. */
function processorMs(times: number, act: () => unknown): number {
  const taken = Array.from({ length: times }, () => {
    const before = process.cpuUsage();
    act();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return median(taken);
}
