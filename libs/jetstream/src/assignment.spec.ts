import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { assign, type Assignment, type Worker } from './assignment.js';

const commands = [0, 1, 2, 3, 4, 5, 6, 7].map(partition => `commands-${partition}`);
const reactors = ['reactor-a', 'reactor-b', 'reactor-c'];
const worker = (id: string, units: readonly string[] = [...commands, ...reactors]): Worker => ({ id, units });
const nobody = new Map<string, string>();

const unitsOf = (assignment: Assignment, id: string) =>
  [...assignment].filter(([, holder]) => holder === id).map(([unit]) => unit);
const counts = (assignment: Assignment, ids: readonly string[], of: readonly string[]) =>
  ids.map(id => unitsOf(assignment, id).filter(unit => of.includes(unit)).length).sort();

test('one worker does everything', () => {
  expect(unitsOf(assign([worker('a')], nobody), 'a')).toEqual([...commands, ...reactors]);
});

test('who joins gets a fair part of every kind, and nothing else moves', () => {
  const before = assign([worker('a')], nobody);
  const after = assign([worker('a'), worker('b')], before);
  expect(counts(after, ['a', 'b'], commands)).toEqual([4, 4]);
  expect(counts(after, ['a', 'b'], reactors)).toEqual([1, 2]);
  const third = assign([worker('a'), worker('b'), worker('c')], after);
  expect(counts(third, ['a', 'b', 'c'], commands)).toEqual([2, 3, 3]);
  const moved = commands.filter(unit => third.get(unit) !== after.get(unit));
  expect(moved.every(unit => third.get(unit) === 'c')).toBe(true);
});

test('what somebody had who is gone is spread over those who are left', () => {
  const workers = [worker('a'), worker('b'), worker('c')];
  const before = assign(workers, nobody);
  const after = assign(workers.slice(1), before);
  expect(counts(after, ['b', 'c'], commands)).toEqual([4, 4]);
  expect(unitsOf(before, 'b').every(unit => after.get(unit) === 'b')).toBe(true);
});

test('a unit goes only to somebody who knows it, even when that is more than a fair part', () => {
  const assignment = assign(
    [worker('new', ['commands-0', 'commands-1']), worker('old', ['commands-0'])],
    nobody,
  );
  expect(assignment.get('commands-1')).toBe('new');
  expect(assignment.get('commands-0')).toBe('old');
  expect(assign([worker('old', ['commands-0'])], nobody).has('commands-1')).toBe(false);
});

test('whoever had what: everybody has a fair part, all units are given, and the answer is final', () => {
  const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
  const holders = fc.dictionary(
    fc.constantFrom(...commands, ...reactors),
    fc.constantFrom('a', 'b', 'c', 'gone'),
  );
  fc.assert(
    fc.property(ids, holders, (present, held) => {
      const workers = present.map(id => worker(id));
      const assignment = assign(workers, new Map(Object.entries(held)));
      expect([...assignment.keys()].sort()).toEqual([...commands, ...reactors].sort());
      for (const kind of [commands, reactors]) {
        const parts = counts(assignment, present, kind);
        expect(parts.at(-1) - parts[0]!).toBeLessThanOrEqual(1);
      }
      expect(assign([...workers].reverse(), assignment)).toEqual(assignment);
    }),
  );
});
