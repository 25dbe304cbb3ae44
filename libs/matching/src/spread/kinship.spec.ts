import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Kinship, kinshipLimits, spreadRule, ties, tiesKept, type Tie } from './kinship.js';

const of = (...related: readonly (readonly [operatorId: string, tie: Tie, key: string])[]) => {
  const kinship = new Kinship();
  for (const [operatorId, tie, key] of related) kinship.relate(operatorId, tie, key);
  return kinship;
};
const kin = (kinship: Kinship, operatorId: string, by?: readonly Tie[]) =>
  [...kinship.withRelatives(new Set([operatorId]), by)].sort();

describe('operators', () => {
  test('are related by a key that they share', () =>
    expect(kin(of(['a', 'network', 'n'], ['b', 'network', 'n'], ['c', 'network', 'm']), 'a')).toEqual([
      'a',
      'b',
    ]));

  test('are not related because both are to a third', () =>
    expect(
      kin(
        of(['a', 'network', 'n'], ['b', 'network', 'n'], ['b', 'funding', 'w'], ['c', 'funding', 'w']),
        'a',
      ),
    ).toEqual(['a', 'b']));

  test('are related no more once one of them is elsewhere', () => {
    const kinship = of(['a', 'network', 'n'], ['b', 'network', 'n']);
    kinship.unrelate('b', 'network', 'n');
    expect(kin(kinship, 'a')).toEqual(['a']);
  });

  test('are told what matters most of what they share', () => {
    const kinship = of(
      ['a', 'network', 'n'],
      ['b', 'network', 'n'],
      ['a', 'funding', 'w'],
      ['b', 'funding', 'w'],
    );
    expect(kinship.tieBetween('a', 'b')).toBe('funding');
    expect(kinship.tieBetween('a', 'c')).toBeUndefined();
  });

  test('of a group speak with it', () => {
    const kinship = of(['a', 'network', 'n'], ['a', 'collusion', 'g']);
    expect(kinship.groupOf('a')).toBe('g');
    expect(kinship.groupOf('b')).toBeUndefined();
  });
});

describe('what keeps replicas apart', () => {
  const { waitMs } = spreadRule;
  test.each<readonly [string, number, readonly Tie[]]>([
    ['is everything at first', 0, ties],
    ['is everything until the wait is over', waitMs - 1, ties],
    ['is no network after the wait', waitMs, ['funding', 'collusion']],
    ['is the groups alone after as long again', 2 * waitMs, ['collusion']],
    ['is the groups for ever', 1_000 * waitMs, ['collusion']],
  ])('%s', (_title, waitedMs, kept) => expect(tiesKept(waitedMs)).toEqual(kept));
});

test('an operator has no more keys than it may, and loses the oldest', () => {
  const kinship = new Kinship();
  const keys = Array.from({ length: kinshipLimits.keysOfOperator + 1 }, (_, index) => `n${index}`);
  for (const key of keys) kinship.relate('a', 'network', key);
  expect(keys.filter(key => !kinship.has('a', 'network', key))).toEqual(['n0']);
});

type Change = { readonly operatorId: string; readonly key: string; readonly isEnded: boolean };
const anyChange: fc.Arbitrary<Change> = fc.record({
  operatorId: fc.constantFrom('a', 'b', 'c', 'd'),
  key: fc.constantFrom('network 1', 'network 2', 'funding 1', 'collusion 1'),
  isEnded: fc.boolean(),
});
const tieOf = (key: string) => key.split(' ')[0] as Tie;

function changed(changes: readonly Change[]) {
  const kinship = new Kinship();
  const shared = new Set<string>();
  for (const { operatorId, key, isEnded } of changes) {
    if (isEnded) kinship.unrelate(operatorId, tieOf(key), key);
    else kinship.relate(operatorId, tieOf(key), key);
    if (isEnded) shared.delete(`${operatorId} ${key}`);
    else shared.add(`${operatorId} ${key}`);
  }
  return { kinship, has: (operatorId: string, key: string) => shared.has(`${operatorId} ${key}`) };
}

test('whatever comes and goes, related are exactly those that share a key of a tie that counts', () => {
  const keys = ['network 1', 'network 2', 'funding 1', 'collusion 1'];
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), fc.subarray([...ties]), (changes, by) => {
      const { kinship, has } = changed(changes);
      for (const one of ['a', 'b', 'c', 'd']) {
        const expected = ['a', 'b', 'c', 'd'].filter(
          other =>
            other === one || keys.some(key => by.includes(tieOf(key)) && has(one, key) && has(other, key)),
        );
        expect(kin(kinship, one, by)).toEqual(expected);
      }
    }),
  );
});

test('a record brings the same relatives back', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), changes => {
      const { kinship } = changed(changes);
      const again = Kinship.from(structuredClone(kinship.record()));
      for (const one of ['a', 'b', 'c', 'd']) expect(kin(again, one)).toEqual(kin(kinship, one));
    }),
  );
});
