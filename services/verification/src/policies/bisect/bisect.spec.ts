import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DigestOf } from '../../commit-reveal/commit-reveal.js';
import { allIn, report } from '../policies.fixture.js';
import { bisect } from './bisect.js';
import { isUnder, proofOf, rootOf } from './checkpoints.js';
import { answer, askedFor, disputedStep, openDispute, roundsAtMost, settle, type Answer } from './dispute.js';

const digestOf: DigestOf = text => hash('sha256', text);

/** Checkpoints of a run that goes wrong after `honestUntil`; each follows from the one before. */
function runOf(steps: number, honestUntil: number, lie: string): readonly string[] {
  const checkpoints = ['beginning'];
  for (let step = 1; step <= steps; step++)
    checkpoints.push(digestOf(`${checkpoints[step - 1]} ${step} ${step > honestUntil ? lie : ''}`));
  return checkpoints;
}

const shows = (run: readonly string[], asked: readonly number[]): Answer =>
  asked.map(index => ({ checkpoint: run[index]!, proof: proofOf(run, index, digestOf) }));

const disputeOf = (one: readonly string[], other: readonly string[], arity: number) =>
  openDispute(
    {
      one: { nodeId: 'a', root: rootOf(one, digestOf), end: one.at(-1)! },
      other: { nodeId: 'b', root: rootOf(other, digestOf), end: other.at(-1)! },
    },
    { steps: one.length - 1, arity, beginning: 'beginning' },
  );

function search(one: readonly string[], other: readonly string[], arity: number) {
  let dispute = disputeOf(one, other, arity);
  for (let asked = askedFor(dispute); asked.length > 0; asked = askedFor(dispute)) {
    const next = answer(dispute, { one: shows(one, asked), other: shows(other, asked) }, digestOf);
    if ('culprits' in next) throw new Error('an answer was refused');
    dispute = next;
  }
  return dispute;
}

const anyDispute = fc
  .record({ steps: fc.integer({ min: 1, max: 300 }), arity: fc.integer({ min: 2, max: 17 }) })
  .chain(({ steps, arity }) =>
    fc.record({ steps: fc.constant(steps), arity: fc.constant(arity), honestUntil: fc.nat(steps - 1) }),
  );

test('the search finds the first differing step within the logarithm of the steps, and the liar loses', () => {
  fc.assert(
    fc.property(anyDispute, fc.boolean(), ({ steps, arity, honestUntil }, liarIsOne) => {
      const [honest, liar] = [runOf(steps, steps, ''), runOf(steps, honestUntil, 'lie')];
      const dispute = liarIsOne ? search(liar, honest, arity) : search(honest, liar, arity);
      expect(disputedStep(dispute)).toBe(honestUntil + 1);
      expect(dispute.agreed).toBe(honest[honestUntil]);
      expect(dispute.rounds).toBeLessThanOrEqual(roundsAtMost(steps, arity));
      expect(arity ** roundsAtMost(steps, arity)).toBeGreaterThanOrEqual(steps);
      expect(settle(dispute, honest[honestUntil + 1]!)).toEqual({
        culprits: [{ party: liarIsOne ? 'one' : 'other', why: 'StepIsWrong' }],
      });
    }),
  );
});

test('where both lie about the step, both lose', () => {
  const dispute = search(runOf(9, 4, 'lie'), runOf(9, 4, 'another lie'), 2);
  expect(settle(dispute, runOf(9, 9, '')[5]!).culprits.map(({ party }) => party)).toEqual(['one', 'other']);
});

describe('who does not play along loses', () => {
  const [honest, liar] = [runOf(20, 20, ''), runOf(20, 7, 'lie')];
  const dispute = disputeOf(honest, liar, 4);
  const asked = askedFor(dispute);
  const shown = shows(liar, asked) as Exclude<Answer, 'silent'>;
  test.each<[string, Answer, string]>([
    ['silence', 'silent', 'NodeIsSilent'],
    ['half an answer', shown.slice(1), 'NodeIsSilent'],
    ['the checkpoints of the other', shows(honest, asked), 'RootIsForged'],
    [
      'another step than was asked for',
      shows(
        liar,
        asked.map(step => step - 1),
      ),
      'RootIsForged',
    ],
    ['a proof too long', shown.map(part => ({ ...part, proof: [...part.proof, 'x'] })), 'RootIsForged'],
  ])('by %s', (_title, given, why) =>
    expect(answer(dispute, { one: shows(honest, asked), other: given }, digestOf)).toEqual({
      culprits: [{ party: 'other', why }],
    }),
  );
});

test('a checkpoint is shown at its own place only', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(39), fc.nat(39), (steps, from, to) => {
      fc.pre(from <= steps && to <= steps);
      const run = runOf(steps, steps, '');
      const shown = { checkpoint: run[from]!, proof: proofOf(run, from, digestOf) };
      expect(isUnder(rootOf(run, digestOf), shown, to, steps + 1, digestOf)).toBe(from === to);
    }),
  );
});

describe('bisect', () => {
  const policy = bisect({ parties: 2, arity: 8, answerWithinMs: 60_000 });
  test('believes those that end alike', () => {
    const reports = [report('a', 'end'), report('b', 'end')];
    expect(policy.judge(reports, allIn(reports)).status).toBe('accepted');
  });
  test('sends two that end differently before the referee, however many agree with one of them', () => {
    const reports = [report('a', 'lie'), report('b', 'lie'), report('c', 'end')];
    expect(policy.judge(reports, allIn(reports))).toEqual({ status: 'disputed', between: [0, 2] });
  });
});
