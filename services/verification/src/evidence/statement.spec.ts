import { describe, expect, test } from '@jest/globals';
import type { TaskEvent } from '@astro/messages/verification';
import fc from 'fast-check';
import { MILLION } from '../policies/policy.js';
import { flawsOfJudgement } from './judge-again.js';
import { recordedAs, saying, specOf, submittedAs, votesOf } from './refuted-task.fixture.js';
import { stateFault } from './statement.js';

const [honest, liar, alsoHonest] = [saying('a', 'd1'), saying('b', 'lie'), saying('c', 'd1')];
const votes = votesOf([honest, liar, alsoHonest]);
const submitted = submittedAs(specOf({}));
const byLiar = { kind: 'refuted_result', leaseId: 'lease_b' } as const;
const flawsOf = (events: readonly TaskEvent[], spec = specOf({})) =>
  stateFault(byLiar, recordedAs(submittedAs(spec), events)).flaws;

/** The same verdict, changed. */
const changing = (change: object): readonly TaskEvent[] =>
  votes.map(event =>
    event.type === 'ResultVerified' ? { ...event, data: { ...event.data, ...change } } : event,
  );
const verdict = votes.at(-1)!;
if (verdict.type !== 'ResultVerified') throw new Error('the fixture has no verdict');

describe('evidence of a refuted result', () => {
  test('says who is accused of what, by which rules, and what can be run again', () => {
    const { statement, flaws } = stateFault(byLiar, recordedAs(submitted, votes));
    expect(flaws).toEqual([]);
    expect(statement).toMatchObject({
      ...{ kind: 'refuted_result', rules: 'faults/1', role: 'operator', fractionBps: 500 },
      accused: { leaseId: 'lease_b', nodeId: 'node_b', operatorId: 'operator_b' },
      ...{ program: { cid: 'cid-program' }, args: ['100'], policy: 'quorum/1' },
      basis: { thresholds: [{ name: 'quorum', value: 2 }], hardwareClasses: ['cpu/x64'], seed: '' },
      agreed: [{ digest: 'd1' }, { digest: 'd1' }],
      refuted: [{ digest: 'lie' }],
    });
  });

  test('cannot be made against whoever agreed', () => {
    const { statement, flaws } = stateFault(
      { kind: 'refuted_result', leaseId: 'lease_a' },
      recordedAs(submitted, votes),
    );
    expect(statement).toBeUndefined();
    expect(flaws).toEqual(['leaseId: lease_a has no refuted_result by the last event']);
  });

  test.each([
    ['a verdict for the liar', changing({ agreed: verdict.data.refuted, refuted: verdict.data.agreed })],
    [
      'another threshold',
      changing({ basis: { ...verdict.data.basis, thresholds: [{ name: 'quorum', value: 1 }] } }),
    ],
    ['another seed', changing({ basis: { ...verdict.data.basis, seed: 'other' } })],
    ['another policy', changing({ policy: 'quorum/2' })],
    ['another digest', changing({ digest: 'd2' })],
    ['no new result', changing({ agreed: verdict.data.agreed.slice(0, 1) })],
    ['an event that is left out', votes.slice(1)],
    ['an event that is repeated', [votes[0]!, ...votes]],
  ])('is refused with %s', (_change, events) => expect(flawsOf(events)).not.toEqual([]));

  test('is refused where the job asked for another quorum', () =>
    expect(flawsOf(votes, specOf({ quorum: 3 }))).not.toEqual([]));

  test.each([
    [
      'without the job',
      recordedAs(submitted, votes).slice(1),
      'events[0]: must be the JobSubmitted of the job',
    ],
    ['without a verdict', recordedAs(submitted, []), 'events: have no verdict'],
    [
      'out of order',
      recordedAs(submitted, votes).toReversed(),
      'events[0]: must be the JobSubmitted of the job',
    ],
  ])('is refused %s', (_what, events, flaw) => expect(stateFault(byLiar, events).flaws).toEqual([flaw]));
});

const anyVotes = fc.uniqueArray(
  fc.record({ operator: fc.constantFrom(...'abcdefgh'), digest: fc.constantFrom('d1', 'd2', 'd3') }),
  { selector: ({ operator }) => operator, maxLength: 8 },
);
const anyPolicy = fc.option(
  fc.record({ policy: fc.constant('recheck' as const), samplePpm: fc.constantFrom(0, 500_000, MILLION) }),
  { nil: undefined },
);

test('whatever the rules recorded, they decide again', () => {
  fc.assert(
    fc.property(
      anyVotes,
      fc.integer({ min: 1, max: 3 }),
      anyPolicy,
      fc.string({ minLength: 1 }),
      (...drawn) => {
        const [some, quorum, verification, seed] = drawn;
        const options = { quorum, ...(verification && { verification }) };
        const events = votesOf(
          some.map(({ operator, digest }) => saying(operator, digest)),
          options,
          seed,
        );
        expect(flawsOfJudgement(events, specOf(options))).toEqual([]);
      },
    ),
  );
});

test('a group that counted once counts once again', () => {
  const voices = ['a', 'c'].map(operator => ({ operatorId: `operator_${operator}`, groupId: 'group_1' }));
  const said = [saying('a', 'd1'), saying('c', 'd1'), saying('d', 'd1')];
  const events = votesOf(said, { spread: { voices } });
  expect(events.map(({ type }) => type)).toEqual(['ResultReceived', 'ResultsDisagreed', 'ResultVerified']);
  expect(flawsOfJudgement(events, specOf({}))).toEqual([]);
});
