import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AgreementsWith, collusionFigures as figures, noAgreements, note, pairsIn } from './agreements.js';

/** The beginning of the first period. */
const at = new Date(figures.halvedEveryMs);
const verdict = (taskId: string, operators: readonly string[], isBelieved = true) => ({
  taskId,
  camps: [{ operators, isBelieved }],
});
const count = (agreements: AgreementsWith, one: string, other: string) =>
  agreements.between(one, other).agreed;

describe('what is counted of verdicts', () => {
  test('is each pair of a camp, the lesser id first', () =>
    expect(pairsIn([verdict('t1', ['b', 'a']), verdict('t2', ['a', 'b', 'c'])])).toMatchObject([
      { one: 'a', other: 'b', agreed: 2, sharedLies: 0, taskIds: [] },
      { one: 'a', other: 'c', agreed: 1 },
      { one: 'b', other: 'c', agreed: 1 },
    ]));
  test('is a lie with its task', () =>
    expect(pairsIn([verdict('t1', ['a', 'b'], false)])).toMatchObject([
      { agreed: 0, sharedLies: 1, taskIds: ['t1'] },
    ]));
});

test('counts are halved with each period, and what is nothing by then is forgotten', () => {
  const agreements = noAgreements();
  note(agreements, pairsIn([verdict('t1', ['a', 'b']), verdict('t2', ['a', 'b'])]), at, figures);
  const later = (periods: number) => new Date(at.getTime() + periods * figures.halvedEveryMs);
  note(agreements, [], later(2), figures);
  expect(agreements.pairs.get('a b')).toMatchObject({ agreed: 0.5 });
  note(agreements, [], later(7), figures);
  expect(agreements.pairs.size).toBe(0);
  expect(agreements.partners.size).toBe(0);
});

test('no more pairs are remembered than may be, and those that met longest ago are forgotten', () => {
  const agreements = noAgreements();
  const few = { ...figures, pairsMax: 2 };
  for (const pair of ['ab', 'cd', 'ab', 'ef']) note(agreements, pairsIn([verdict('t', [...pair])]), at, few);
  expect([...agreements.pairs.keys()]).toEqual(['a b', 'e f']);
});

const anyVerdicts = fc.array(
  fc
    .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 2, maxLength: 3 })
    .chain(operators => fc.boolean().map(isBelieved => verdict('t', operators, isBelieved))),
  { maxLength: 20 },
);

test('agreements with some more are those that there are once they are noted, in however many runs', () =>
  fc.assert(
    fc.property(anyVerdicts, anyVerdicts, (before, more) => {
      const agreements = noAgreements();
      note(agreements, pairsIn(before), at, figures);
      const foreseen = new AgreementsWith(agreements, pairsIn(more), at, figures);
      const seen = structuredClone(foreseen.between('a', 'b'));
      const chance = foreseen.byChance('a', 'b');
      for (const one of more) note(agreements, pairsIn([one]), at, figures);
      const noted = new AgreementsWith(agreements, [], at, figures);
      expect(noted.between('a', 'b')).toEqual(seen);
      expect(noted.byChance('a', 'b')).toBe(chance);
    }),
  ));

describe('chance', () => {
  /** Everybody meets everybody, as often as the product of how often they get work. */
  const market = (weights: readonly number[]) => {
    const agreements = noAgreements();
    weights.forEach((weight, one) =>
      weights.slice(one + 1).forEach((otherWeight, offset) => {
        const pair = { one: `o${one}`, other: `o${one + 1 + offset}`, sharedLies: 0, taskIds: [] };
        note(agreements, [{ ...pair, agreed: weight * otherWeight }], at, figures);
      }),
    );
    return new AgreementsWith(agreements, [], at, figures);
  };

  test('is how often two meet who meet as all others do, whoever gets more work', () => {
    const of = market([1, 1, 1, 2, 9, 4, 5, 3]);
    for (const [one, other] of [
      ['o0', 'o1'],
      ['o3', 'o4'],
      ['o4', 'o6'],
    ] as const)
      expect(of.byChance(one, other) / count(of, one, other)).toBeGreaterThanOrEqual(1);
  });
  test('is not told where two meet too few others', () =>
    expect(market([1, 1, 1, 1]).byChance('o0', 'o1')).toBe(Infinity));
});
