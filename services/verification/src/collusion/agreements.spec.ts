import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  collusionFigures as figures,
  isApart,
  noAgreements,
  noted,
  voicesOf,
  type CampOfVerdict,
} from './agreements.js';

const believed = (...operators: readonly string[]): CampOfVerdict => ({ operators, isBelieved: true });
const lied = (...operators: readonly string[]): CampOfVerdict => ({ operators, isBelieved: false });
const after = (...verdicts: readonly (readonly CampOfVerdict[])[]) =>
  verdicts.reduce((agreements, camps) => noted(agreements, camps, figures), noAgreements);
const voices = (...verdicts: readonly (readonly CampOfVerdict[])[]) =>
  Object.fromEntries(voicesOf(after(...verdicts), figures));

describe('operators', () => {
  test('that agree in the truth stay apart, however often', () =>
    expect(voices(...Array.from({ length: 99 }, () => [believed('a', 'b')]))).toEqual({}));
  test('that lie alone stay apart', () =>
    expect(voices([believed('a', 'b'), lied('c'), lied('d')])).toEqual({}));
  test('that lie alike are one voice', () =>
    expect(voices([believed('x', 'y', 'z'), lied('c', 'b')])).toEqual({ b: 'b', c: 'b' }));
  test('that lie alike with one of a group belong to it', () =>
    expect(voices([lied('d', 'c')], [lied('b', 'a')], [lied('c', 'b')])).toEqual({
      a: 'a',
      b: 'a',
      c: 'a',
      d: 'a',
    }));
});

test('a group is the same in whatever order its lies come to light', () => {
  const operator = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const lies = fc.array(
    fc.tuple(operator, operator).filter(([one, other]) => one !== other),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      lies.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) =>
        expect(voices(...shuffled.map(pair => [lied(...pair)]))).toEqual(
          voices(...all.map(pair => [lied(...pair)])),
        ),
    ),
  );
});

test('no more pairs are remembered than may be, and the oldest are forgotten', () => {
  const few = { ...figures, pairsMax: 2 };
  const pairs = [
    ['a', 'b'],
    ['c', 'd'],
    ['a', 'b'],
    ['e', 'f'],
  ] as const;
  const { pairs: kept } = pairs.reduce((known, pair) => noted(known, [lied(...pair)], few), noAgreements);
  expect([...kept.keys()]).toEqual(['a b', 'e f']);
});

describe('a replica is kept apart', () => {
  const node = { operatorId: 'a', network: 'n1', fundedBy: 'w1' };
  const other = { operatorId: 'b', network: 'n2', fundedBy: 'w2' };
  test.each([
    ['from nobody who shares nothing', other, true],
    ['from its own operator', { ...other, operatorId: 'a' }, false],
    ['from its own network', { ...other, network: 'n1' }, false],
    ['from who was funded by the same', { ...other, fundedBy: 'w1' }, false],
    ['from who lies alike', { ...other, operatorId: 'c' }, false],
  ])('%s', (_title, has, may) =>
    expect(isApart(node, [has], voicesOf(after([lied('a', 'c')]), figures))).toBe(may),
  );
});
