import { describe, expect, test } from '@jest/globals';
import { Random } from '@astro/matching/engine/random';
import type { CollusionCommand, CollusionEvent, NotedVerdict } from '@astro/messages/verification';
import fc from 'fast-check';
import { collusionFigures as figures } from './agreements.js';
import { collusion, type Collusion } from './collusion.js';

const poolId = 'main';
const DAY_MS = 86_400_000;
/** The beginning of the first period. */
const START_MS = figures.halvedEveryMs;
type Camp = NotedVerdict['camps'][number];
const believed = (...operators: readonly string[]): Camp => ({ operators, isBelieved: true });
const lied = (...operators: readonly string[]): Camp => ({ operators, isBelieved: false });

/** A pool's verdicts, in runs. */
class Market {
  state: Collusion = collusion.initialState;
  position = 0;
  readonly events: CollusionEvent[] = [];

  run(camps: readonly (readonly Camp[])[], atMs = START_MS): readonly CollusionEvent[] {
    const verdicts = camps.map(all => {
      this.position += 1;
      return { position: this.position, taskId: `task_${this.position}`, at: new Date(atMs), camps: all };
    });
    return this.send({ type: 'NoteVerdicts', data: { poolId, verdicts } });
  }

  send(command: CollusionCommand): readonly CollusionEvent[] {
    const decision = collusion.decide(command, this.state);
    if (!decision.accepted) throw new Error(decision.rejection);
    for (const event of decision.events) this.state = collusion.evolve(this.state, event);
    this.events.push(...decision.events);
    return decision.events;
  }

  get groups(): readonly (readonly string[])[] {
    return [...this.state.groups.values()];
  }
}
const marketOf = (...runs: readonly (readonly Camp[])[]) => {
  const market = new Market();
  for (const camps of runs) market.run([camps]);
  return market;
};
const suspected = (events: readonly CollusionEvent[]) =>
  events.flatMap(event => (event.type === 'OperatorsSuspected' ? [event.data] : []));

describe('operators', () => {
  test('that agree in the truth stay apart, however often', () =>
    expect(marketOf(...Array.from({ length: 99 }, () => [believed('a', 'b')])).groups).toEqual([]));
  test('that lie alone stay apart', () =>
    expect(marketOf([believed('a', 'b'), lied('c'), lied('d')]).groups).toEqual([]));
  test('that lie alike are one group, with the task that says so', () => {
    const market = marketOf([believed('x', 'y', 'z'), lied('c', 'b')]);
    expect(market.groups).toEqual([['b', 'c']]);
    expect(suspected(market.events)).toMatchObject([
      { operators: ['b', 'c'], evidence: [{ one: 'b', other: 'c', sharedLies: 1, taskIds: ['task_1'] }] },
    ]);
  });
  test('that lie alike with one of a group belong to it, which keeps its name', () => {
    const market = marketOf([lied('d', 'c')], [lied('b', 'a')], [lied('c', 'b')]);
    const [first, second] = suspected(market.events);
    expect(market.groups).toEqual([['a', 'b', 'c', 'd']]);
    expect([...market.state.groups.keys()]).toEqual([first!.groupId]);
    expect(market.events.filter(({ type }) => type === 'SuspicionLifted')).toEqual([
      { type: 'SuspicionLifted', data: { poolId, groupId: second!.groupId, operators: ['a', 'b'] } },
    ]);
  });
  test('are told once of what is known', () => {
    const market = marketOf([lied('a', 'b')]);
    expect(suspected(market.run([[lied('a', 'b')]]))).toEqual([]);
  });
});

test('a run that comes again in another cut counts once', () => {
  const market = marketOf([believed('a', 'b')], [believed('a', 'b')]);
  const verdicts = [1, 2, 3].map(position => ({
    position,
    taskId: `task_${position}`,
    at: new Date(START_MS),
    camps: [believed('a', 'b')],
  }));
  market.send({ type: 'NoteVerdicts', data: { poolId, verdicts } });
  expect(market.state.agreements.pairs.get('a b')).toMatchObject({ agreed: 3 });
  expect(market.send({ type: 'NoteVerdicts', data: { poolId, verdicts } })).toEqual([]);
});

test('a suspicion is lifted when nothing has come up for three periods', () => {
  const market = marketOf([lied('a', 'b')]);
  const after = (days: number) => {
    market.run([[believed('x', 'y')]], START_MS + days * DAY_MS);
    return market.groups;
  };
  expect(after(30)).toEqual([['a', 'b']]);
  expect(after(60)).toEqual([['a', 'b']]);
  expect(after(90)).toEqual([]);
});

/** Of each task two operators are drawn, each as often as its weight says. */
function meetings(weights: readonly number[], count: number, seed: number): Camp[][] {
  const random = new Random(seed);
  const all = weights.flatMap((weight, index) => Array.from({ length: weight }, () => `o${index}`));
  const draw = () => all[random.below(all.length)]!;
  return Array.from({ length: count }, () => {
    const one = draw();
    let other = draw();
    while (other === one) other = draw();
    return [believed(one, other)];
  });
}

describe('agreeing too often', () => {
  const honest = [1, 1, 1, 1, 2, 2, 3, 5, 8, 8, 1, 1];

  test('is nobody who meets others as they come, whoever gets most of the work', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const market = new Market();
      for (let run = 0; run < 30; run += 1) market.run(meetings(honest, 100, 100 * seed + run));
      expect(market.groups).toEqual([]);
    }
  });

  test('is nobody in a part of the market that has its own few operators', () => {
    const market = new Market();
    for (let run = 0; run < 30; run += 1) {
      market.run(
        meetings(
          Array.from({ length: 40 }, () => 1),
          200,
          run,
        ),
      );
      market.run(
        meetings([1, 1, 4, 2, 1, 1, 3, 1], 40, run).map(([camp]) => [
          believed(...camp!.operators.map(operator => `island-${operator}`)),
        ]),
      );
    }
    expect(market.groups).toEqual([]);
  });

  test('is who meets each other many times as often as chance has it', () => {
    const market = new Market();
    for (let run = 0; run < 30; run += 1) {
      market.run(
        meetings(
          Array.from({ length: 20 }, () => 1),
          100,
          run,
        ),
      );
      market.run(Array.from({ length: 4 }, () => [believed('o3', 'o7')]));
    }
    expect(market.groups).toEqual([['o3', 'o7']]);
    const [first] = suspected(market.events);
    const [evidence] = first!.evidence;
    expect(evidence!.agreed).toBeGreaterThanOrEqual(figures.timesChanceMin * evidence!.agreedByChance);
  });
});

const anyRuns = fc.array(
  fc.array(
    fc.tuple(
      fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 2, maxLength: 3 }),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 4 },
  ),
  { maxLength: 8 },
);
const campsOf = (run: readonly (readonly [readonly string[], boolean])[]) =>
  run.map(([operators, isBelieved]) => [{ operators, isBelieved }]);

describe('whatever verdicts come', () => {
  test('nobody is in two groups, and who lied alike is in one', () =>
    fc.assert(
      fc.property(anyRuns, runs => {
        const market = new Market();
        for (const run of runs) market.run(campsOf(run));
        const members = market.groups.flat();
        expect(new Set(members).size).toBe(members.length);
        for (const [operators, isBelieved] of runs.flat())
          if (!isBelieved)
            expect(market.groups.some(group => operators.every(one => group.includes(one)))).toBe(true);
      }),
    ));

  test('the groups are the same in whatever runs they come, and after a replay and a restart', () =>
    fc.assert(
      fc.property(anyRuns, runs => {
        const [market, other] = [new Market(), new Market()];
        for (const run of runs) market.run(campsOf(run));
        for (const run of runs.flat()) other.run(campsOf([run]));
        const sorted = (groups: readonly (readonly string[])[]) => groups.map(String).sort();
        expect(sorted(other.groups)).toEqual(sorted(market.groups));
        const replayed = market.events.reduce(collusion.evolve, collusion.initialState);
        expect(replayed).toEqual(market.state);
        const { encode, decode } = collusion.snapshot!;
        expect(decode(encode(market.state))).toEqual(market.state);
      }),
    ));
});
