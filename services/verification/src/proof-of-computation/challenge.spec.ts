import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answerTo, check, errorAtMost, flawOfChallenge, operationsOf, type Challenge } from './challenge.js';
import { PRIME, product, residues, timesColumn, WIDTH_MAX } from './field.js';

const challenge: Challenge = { seed: '0123456789abcdef0123456789abcdef', size: 24, answerWithinMs: 1_000 };
const draw = 'fedcba9876543210fedcba9876543210';
const anySeed = fc.stringMatching(/^[0-9a-f]{32}$/);

describe('a proof of computation', () => {
  test('passes, and says how fast the node was', () =>
    expect(check(challenge, answerTo(challenge), { draw, tookMs: 10 })).toEqual({
      status: 'passed',
      operationsPerSecond: operationsOf(challenge) * 100,
    }));
  test('fails when the answer is late', () =>
    expect(check(challenge, answerTo(challenge), { draw, tookMs: 1_001 })).toMatchObject({
      why: 'AnswerIsLate',
    }));
  test.each([
    ['too short', answerTo(challenge).subarray(1)],
    ['NaN', answerTo(challenge).fill(NaN)],
    ['no residue', answerTo(challenge).map(value => value + PRIME)],
    ['below zero', answerTo(challenge).map(value => value - PRIME)],
  ])('fails when the answer is %s', (_title, answer) =>
    expect(check(challenge, answer, { draw, tookMs: 1 })).toMatchObject({ why: 'AnswerIsMalformed' }),
  );
  test('of one element that is wrong by anything is found out', () => {
    const right = answerTo(challenge);
    fc.assert(
      fc.property(
        fc.nat(right.length - 1),
        fc.integer({ min: 1, max: PRIME - 1 }),
        anySeed,
        (at, by, seed) => {
          const wrong = right.slice();
          wrong[at] = (wrong[at]! + by) % PRIME;
          expect(check(challenge, wrong, { draw: seed, tookMs: 1 })).toMatchObject({ why: 'ProductIsWrong' });
        },
      ),
    );
  });
  test('of the answer to another challenge is found out', () => {
    const other = { ...challenge, seed: draw };
    expect(check(challenge, answerTo(other), { draw, tookMs: 1 })).toMatchObject({ why: 'ProductIsWrong' });
  });
  test('has one error in more than four million millions at most', () =>
    expect(1 / errorAtMost(2)).toBeGreaterThan(4e12));
});

test.each([
  [{ seed: 'zz' }, 'seed'],
  [{ size: 1 }, 'size'],
  [{ size: WIDTH_MAX + 1 }, 'size'],
  [{ size: 2.5 }, 'size'],
  [{ answerWithinMs: 0 }, 'answerWithinMs'],
])('a challenge with %j is refused by field', (changes, field) =>
  expect(flawOfChallenge({ ...challenge, ...changes })).toMatch(new RegExp(`^${field}: `)),
);

test('the prime is one, and the widest row of the largest residues is added up exactly', () => {
  for (let divisor = 2; divisor * divisor <= PRIME; divisor++) expect(PRIME % divisor).not.toBe(0);
  expect(BigInt(WIDTH_MAX) * BigInt(PRIME - 1) ** 2n).toBeLessThanOrEqual(BigInt(Number.MAX_SAFE_INTEGER));
});

test('the product is that of big integers', () => {
  const [a, b] = [residues(challenge.seed, 1, 36), residues(challenge.seed, 2, 36)];
  const c = product(a, b, 6);
  for (let row = 0; row < 6; row++)
    for (let column = 0; column < 6; column++) {
      let sum = 0n;
      for (let at = 0; at < 6; at++) sum += BigInt(a[row * 6 + at]!) * BigInt(b[at * 6 + column]!);
      expect(c[row * 6 + column]).toBe(Number(sum % BigInt(PRIME)));
    }
  const column = b.subarray(0, 6);
  expect(timesColumn(a, 6, column)[0]).toBe(
    Number([...column].reduce((sum, value, at) => sum + BigInt(value) * BigInt(a[at]!), 0n) % BigInt(PRIME)),
  );
});

test('residues are even over the field, and others for another purpose', () => {
  const values = residues(challenge.seed, 1, 20_000);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean / PRIME - 0.5)).toBeLessThan(0.01);
  expect(residues(challenge.seed, 2, 4)).not.toEqual(values.subarray(0, 4));
});
