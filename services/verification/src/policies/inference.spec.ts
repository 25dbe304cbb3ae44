import { describe, expect, test } from '@jest/globals';
import { activationFigures, figuresFor, inference, type Activation, type Recomputed } from './inference.js';
import { allIn, report } from './policies.fixture.js';

const bf16 = activationFigures['bf16']!;
const CHUNKS = 2;
/** Exponent 130, and a mantissa that leaves room on both sides. */
const BASE = (130 << 7) | 64;
const recomputed: Recomputed = () => BASE;
const policy = inference(bf16, recomputed);

const commitment = (bitsAt: (place: number) => number): readonly Activation[] =>
  Array.from({ length: bf16.topK }, (_, place) => ({ place, bits: bitsAt(place) }));
const exact = commitment(() => BASE);
const claim = (last: readonly Activation[]) => ({ outputTokens: 50, chunks: [exact, last] });
const judge = (last: readonly Activation[]) => {
  const reports = [report('a', claim(last)), report('b', claim(exact))];
  return policy.judge(reports, allIn(reports));
};
const whyOf = (last: readonly Activation[]) => {
  const judgement = judge(last);
  return judgement.status === 'accepted' ? judgement.culprits[0]?.why : judgement.status;
};
/** So many places have another exponent, and the mantissas of the others are off. */
const off = (exponents: number, mantissa: number) =>
  commitment(place => (place < exponents ? BASE + (1 << 7) : BASE + mantissa));

describe('the commitments of an inference', () => {
  test.each([
    ['what was computed', exact, undefined],
    ['38 other exponents', off(38, 0), undefined],
    ['39 other exponents', off(39, 0), 'ActivationsDiffer'],
    ['a median error of 8', off(0, 8), undefined],
    ['a median error of 9', off(0, 9), 'ActivationsDiffer'],
    ['a mean error of 10', commitment(place => (place < 65 ? BASE : BASE - 20)), undefined],
    ['a mean error above 10', commitment(place => (place < 65 ? BASE : BASE - 21)), 'ActivationsDiffer'],
    ['the other sign', commitment(() => BASE | 0x8000), 'ActivationsDiffer'],
    ['NaN', commitment(() => 0x7fc0), 'ClaimIsNotFinite'],
    ['an infinity', commitment(place => (place === 0 ? 0x7f80 : BASE)), 'ClaimIsNotFinite'],
    ['a number of 17 bits', commitment(() => 0x1_0000 + BASE), 'ClaimIsNotFinite'],
    ['one place for all', exact.map(activation => ({ ...activation, place: 0 })), 'CommitmentIsMalformed'],
    ['a place too few', exact.slice(1), 'CommitmentIsMalformed'],
  ])('of %s', (_title, last, why) => expect(whyOf(last)).toBe(why));

  test('of a chunk too few are refused', () => {
    const reports = [report('a', { outputTokens: 32 * CHUNKS + 1, chunks: [exact, exact] })];
    expect(policy.judge(reports, allIn(reports)).status).toBe('wanting');
  });
  test('wait for the run of who checks', () =>
    expect(inference(bf16, undefined).judge([report('a', claim(exact))], allIn([1])).status).toBe('waiting'));
  test('are judged by no figures that were not published', () => {
    expect(figuresFor('any model', 'h100', 'bf16')).toBe(bf16);
    expect(figuresFor('any model', 'h100', 'fp32')).toBeUndefined();
  });
});
