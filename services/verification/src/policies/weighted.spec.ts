import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allIn, report } from './policies.fixture.js';
import type { Report } from './policy.js';
import { weighted, weightOf } from './weighted.js';

const policy = weighted({ trust: 32, weightMax: 16 });

test('a voice weighs as iExec has it, up to a limit', () =>
  expect([0, 8, 9, 11, 12, 30, 51, 10_000].map(score => weightOf(score, 16))).toEqual([
    2n,
    2n,
    2n,
    2n,
    3n,
    9n,
    16n,
    16n,
  ]));

test('no node is believed alone, whatever its score', () => {
  const alone = [report('a', 'x', { score: 1_000_000 })];
  expect(policy.judge(alone, allIn(alone)).status).toBe('wanting');
});

test('two nodes of long standing are enough, and five that nobody knows', () => {
  expect(policy.replicasAtFirst(report('a', '', { score: 60 }).standing, 0)).toBe(2);
  expect(policy.replicasAtFirst(report('a', '').standing, 0)).toBe(5);
});

const anyReports = fc
  .array(fc.record({ claim: fc.constantFrom('x', 'y', 'z'), score: fc.nat(90), voice: fc.nat(6) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map(all => all.map(({ claim, score, voice }, at) => report(`${at}`, claim, { score }, `voice_${voice}`)));

const outcome = (reports: readonly Report[]) => {
  const judgement = policy.judge(reports, allIn(reports));
  if (judgement.status !== 'accepted') return judgement;
  return {
    claim: reports[judgement.agreed[0]!]!.claim,
    agreed: judgement.agreed.map(index => reports[index]!.nodeId).sort(),
    culprits: judgement.culprits.map(({ index }) => reports[index]!.nodeId).sort(),
  };
};

test('the order in which reports come does not count', () => {
  fc.assert(
    fc.property(
      anyReports.chain(reports =>
        fc.tuple(fc.constant(reports), fc.shuffledSubarray(reports, { minLength: reports.length })),
      ),
      ([reports, shuffled]) => expect(outcome(shuffled)).toEqual(outcome(reports)),
    ),
  );
});

test('as many as are asked for at first are accepted when they agree, and one fewer are not', () => {
  const asked = policy.replicasAtFirst(report('a', '', { score: 20 }).standing, 0);
  const alike = Array.from({ length: asked }, (_, index) => report(`${index}`, 'x', { score: 20 }));
  expect(policy.judge(alike, allIn(alike)).status).toBe('accepted');
  expect(policy.judge(alike.slice(1), allIn(alike.slice(1))).status).toBe('wanting');
});
