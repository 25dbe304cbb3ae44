import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  explain,
  judged,
  noReputation,
  reputationFigures as figures,
  scoreMilli,
  standingOf,
  type Judged,
  type Reputation,
} from './reputation.js';

const confirmed = (event = 'e'): Judged => ({ event, outcome: 'confirmed' });
const refuted = (event = 'e', accusers = 3): Judged => ({
  event,
  outcome: 'refuted',
  why: 'ClaimIsOutvoted',
  accusers,
});
const after = (...all: readonly Judged[]): Reputation =>
  all.reduce((record, what) => judged(record, what, figures), noReputation);
const times = (count: number, what: Judged) => Array<Judged>(count).fill(what);

describe('a reputation', () => {
  test('counts what was confirmed in a row, and begins again when a result was refuted', () => {
    expect(after(...times(12, confirmed())).validInRow).toBe(12);
    expect(after(...times(12, confirmed()), refuted()).validInRow).toBe(0);
  });
  test('is not touched by what says nothing about honesty', () => {
    const record = after(confirmed());
    expect(
      judged(record, { event: 'e', outcome: 'refuted', why: 'NodeIsNotAttested', accusers: 5 }, figures),
    ).toBe(record);
  });
  test('knows a strike only where enough voices accuse', () => {
    expect(after(refuted('e', 2)).strikes).toEqual([]);
    expect(after(refuted('e', 3)).strikes).toEqual([{ event: 'e', at: 1 }]);
  });
  test('ends with the second strike of the window, and names both', () => {
    const record = after(refuted('first'), ...times(998, confirmed()), refuted('second'));
    expect(record.isExpelled).toBe(true);
    expect(explain(record, figures)).toMatchObject({ strikes: ['first', 'second'], strikesLeft: 0 });
  });
  test('forgets a strike after the window', () => {
    const record = after(refuted('first'), ...times(999, confirmed()), refuted('second'));
    expect(record.isExpelled).toBe(false);
    expect(record.strikes).toEqual([{ event: 'second', at: 1_001 }]);
  });
  test('reaches no more points however long the node works', () => {
    const limit = figures.confirmedMilli * figures.decayDivisor;
    expect(scoreMilli(after(...times(5_000, confirmed())))).toBeLessThanOrEqual(limit);
    expect(standingOf(after(...times(5_000, confirmed())), true)).toMatchObject({ isAttested: true });
  });
});

const anyHistory = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.constant(confirmed()) },
    { weight: 1, arbitrary: fc.constantFrom(refuted('e', 2), refuted('e', 3)) },
  ),
  { maxLength: 120 },
);

test('every point of a score is traced to its event, and all together are the score', () => {
  fc.assert(
    fc.property(anyHistory, history => {
      const named = history.map((what, index) => ({ ...what, event: `event_${index}` }));
      const record = after(...named);
      const { points, olderMilli, scoreMilli: score } = explain(record, figures);
      expect(points.reduce((sum, { left }) => sum + left, olderMilli)).toBe(score);
      expect(points.map(({ event }) => event)).toEqual(named.slice(-32).map(({ event }) => event));
      for (const { given, left } of points) expect(Math.abs(left)).toBeLessThanOrEqual(Math.abs(given));
      expect(standingOf(record, false).score).toBeGreaterThanOrEqual(0);
    }),
  );
});
