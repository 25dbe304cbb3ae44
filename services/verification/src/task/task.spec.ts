import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { Fault, Result } from '@astro/messages/scheduling';
import type { Basis, TaskCommand, TaskEvent } from '@astro/messages/verification';
import fc from 'fast-check';
import { drawOf } from '../policies/draw.js';
import { task } from './task.js';

const given = specify(task({ maxReplicas: 5 }));
const ids = { poolId: 'main', jobId: 'job_1', taskId: 'task_1' };

const resultOf = (operator: string, digest: string, fault: Fault = 'none'): Result => ({
  leaseId: `lease_${operator}`,
  nodeId: `node_${operator}`,
  operatorId: `operator_${operator}`,
  fault,
  digest,
  outputs: fault === 'none' ? [{ name: 'weights', cid: `cid-${digest}`, sizeBytes: 10 }] : [],
  meteredMs: 1_000,
  pricePerSecondAtto: 5n,
});
const record = (result: Result, quorum = 2): TaskCommand => ({
  type: 'RecordResult',
  data: { ...ids, quorum, result },
});
const noted = (type: 'ResultReceived' | 'ResultsDisagreed', result: Result, quorum = 2): TaskEvent => ({
  type,
  data: { ...ids, quorum, result },
});
const byQuorum = (quorum: number): { policy: string; basis: Basis } => ({
  policy: 'quorum/1',
  basis: { thresholds: [{ name: 'quorum', value: quorum }], hardwareClasses: [], seed: '' },
});
const verified = (
  agreed: readonly Result[],
  refuted: readonly Result[] = [],
  founded = byQuorum(2),
): TaskEvent => {
  const { digest, fault, outputs } = agreed[0]!;
  return { type: 'ResultVerified', data: { ...ids, digest, fault, outputs, agreed, refuted, ...founded } };
};

const [honest, alsoHonest, liar] = [resultOf('a', 'd1'), resultOf('b', 'd1'), resultOf('c', 'lie')];

describe('operators of one group', () => {
  const spread = {
    relatedBy: 'collusion',
    voices: ['operator_a', 'operator_b'].map(operatorId => ({ operatorId, groupId: 'group_1' })),
  } as const;
  const together = (result: Result): TaskCommand => ({
    type: 'RecordResult',
    data: { ...ids, quorum: 2, result, spread },
  });
  test('have one voice, also where one has voted before the group was found', () =>
    given(noted('ResultReceived', honest))
      .when(together(alsoHonest))
      .then({ type: 'ResultsDisagreed', data: { ...ids, quorum: 2, result: alsoHonest, spread } }));
  test('are believed with another, and the verdict says who was counted once', () => {
    const third = resultOf('d', 'd1');
    const founded = byQuorum(2);
    given(noted('ResultReceived', honest), noted('ResultsDisagreed', alsoHonest))
      .when(together(third))
      .then(verified([honest, alsoHonest, third], [], { ...founded, basis: { ...founded.basis, spread } }));
  });
});

describe('results of an encrypted job', () => {
  const sealed = (operator: string, digest: string): Result => ({
    ...resultOf(operator, digest),
    outputs: [{ name: 'weights', cid: `ciphertext-of-${operator}`, sizeBytes: 10 }],
    isEncrypted: true,
  });
  const [first, second] = [sealed('a', 'd1'), sealed('b', 'd1')];

  test('agree by their digest, although each is other bytes', () =>
    given(noted('ResultReceived', first))
      .when(record(second))
      .then(verified([first, second])));
  test('disagree when their digests differ', () => {
    const other = sealed('b', 'd2');
    given(noted('ResultReceived', first)).when(record(other)).then(noted('ResultsDisagreed', other));
  });
  test('disagree when they are other files', () => {
    const other = { ...second, outputs: [{ ...second.outputs[0]!, name: 'bias' }] };
    given(noted('ResultReceived', first)).when(record(other)).then(noted('ResultsDisagreed', other));
  });
  test('do not agree with results in clear of the same digest', () => {
    const clear = resultOf('b', 'd1');
    given(noted('ResultReceived', first)).when(record(clear)).then(noted('ResultsDisagreed', clear));
  });
});

describe('a task whose results are recorded', () => {
  test('waits for the second result', () =>
    given().when(record(honest)).then(noted('ResultReceived', honest)));
  test('is verified when two operators agree', () =>
    given(noted('ResultReceived', honest))
      .when(record(alsoHonest))
      .then(verified([honest, alsoHonest])));
  test('is verified by one result when one is enough', () =>
    given()
      .when(record(honest, 1))
      .then(verified([honest], [], byQuorum(1))));
  test('asks for one more when two disagree', () =>
    given(noted('ResultReceived', honest)).when(record(liar)).then(noted('ResultsDisagreed', liar)));
  test('refutes the liar when the third agrees with the first', () =>
    given(noted('ResultReceived', liar), noted('ResultsDisagreed', honest))
      .when(record(alsoHonest))
      .then(verified([honest, alsoHonest], [liar])));
  test('is verified with a fault that both report', () => {
    const [one, other] = [resultOf('a', 'f', 'program_trapped'), resultOf('b', 'f', 'program_trapped')];
    return given(noted('ResultReceived', one))
      .when(record(other))
      .then(verified([one, other]));
  });
  test('takes the same digest of another fault for disagreement', () => {
    const [one, other] = [resultOf('a', 'f', 'program_trapped'), resultOf('b', 'f', 'program_timed_out')];
    return given(noted('ResultReceived', one)).when(record(other)).then(noted('ResultsDisagreed', other));
  });
  test('takes other outputs under the honest digest for disagreement', () => {
    const forged = { ...alsoHonest, outputs: [{ name: 'weights', cid: 'cid-of-the-liar', sizeBytes: 10 }] };
    return given(noted('ResultReceived', honest))
      .when(record(forged))
      .then(noted('ResultsDisagreed', forged));
  });
  test('does not care about the order of outputs', () => {
    const [a, b] = [
      { name: 'a', cid: 'x', sizeBytes: 1 },
      { name: 'b', cid: 'y', sizeBytes: 2 },
    ];
    const [one, other] = [
      { ...honest, outputs: [a, b] },
      { ...alsoHonest, outputs: [b, a] },
    ];
    return given(noted('ResultReceived', one))
      .when(record(other))
      .thenState(state => expect(state.isDecided).toBe(true));
  });
  test('fails when five replicas bring no agreement', () => {
    const results = ['a', 'b', 'c', 'd', 'e'].map(operator => resultOf(operator, `digest of ${operator}`));
    const [first, second, third, fourth, fifth] = results as [Result, Result, Result, Result, Result];
    return given(
      noted('ResultReceived', first),
      noted('ResultsDisagreed', second),
      noted('ResultsDisagreed', third),
      noted('ResultsDisagreed', fourth),
    )
      .when(record(fifth))
      .then({ type: 'VerificationFailed', data: { ...ids, results, ...byQuorum(2) } });
  });
});

describe('a task of which a sample is run again', () => {
  const verification = { policy: 'recheck', samplePpm: 500_000 } as const;
  const seeds = Array.from({ length: 64 }, (_, index) => `seed ${index}`);
  const [drawn = '', passed = ''] = [true, false].map(isDrawn =>
    seeds.find(seed => drawOf(seed, ids.taskId) < verification.samplePpm === isDrawn),
  );
  const h100 = { ...honest, hardwareClass: 'gpu/NVIDIA/H100/x64' };
  const a100 = { ...alsoHonest, hardwareClass: 'gpu/NVIDIA/A100/x64' };
  const vote = (result: Result, seed: string): TaskCommand => ({
    type: 'RecordResult',
    data: { ...ids, quorum: 2, result, verification, seed },
  });
  const audited: TaskEvent = {
    type: 'AuditDrawn',
    data: { ...ids, quorum: 2, result: h100, verification, seed: drawn },
  };
  const founded = (seed: string, ...hardwareClasses: readonly string[]) => ({
    policy: 'recheck/1',
    basis: {
      thresholds: [
        { name: 'samplePpm', value: 500_000 },
        { name: 'quorum', value: 2 },
        { name: 'quorumOfDispute', value: 2 },
      ],
      hardwareClasses,
      seed,
    },
  });

  test('is verified by one result that was not drawn; the verdict says from what', () =>
    given()
      .when(vote(h100, passed))
      .then(verified([h100], [], founded(passed, 'gpu/NVIDIA/H100/x64'))));
  test('has its first result run again when it was drawn', () =>
    given().when(vote(h100, drawn)).then(audited));
  test('is verified when the second agrees, by the draw of the first', () =>
    given(audited)
      .when(vote(a100, passed))
      .then(verified([h100, a100], [], founded(drawn, 'gpu/NVIDIA/A100/x64', 'gpu/NVIDIA/H100/x64'))));
  test('asks for one more when the second differs, and refutes who lied', () => {
    given(audited).when(vote(liar, passed)).then(noted('ResultsDisagreed', liar));
    given(audited, noted('ResultsDisagreed', liar))
      .when(vote(a100, passed))
      .then(verified([h100, a100], [liar], founded(drawn, 'gpu/NVIDIA/A100/x64', 'gpu/NVIDIA/H100/x64')));
  });
  test('asks for as many as the quorum says, one after the other', () => {
    const three = (result: Result): TaskCommand => ({
      type: 'RecordResult',
      data: { ...ids, quorum: 3, result, verification, seed: drawn },
    });
    given()
      .when(three(h100), three(a100))
      .then(noted('ResultsDisagreed', a100, 3));
  });
  test('is not judged without a seed or a sample', () => {
    given().when(vote(h100, '')).thenRejected('VerificationIsInvalid');
    given()
      .when({
        type: 'RecordResult',
        data: { ...ids, quorum: 2, result: h100, verification: { policy: 'recheck' }, seed: drawn },
      })
      .thenRejected('VerificationIsInvalid');
  });
});

describe('a repeated or contradicting result', () => {
  test('of the same lease changes nothing', () =>
    given(noted('ResultReceived', honest)).when(record(honest)).thenNothing());
  test('of the same lease changes nothing after the verdict', () =>
    given(verified([honest, alsoHonest], [liar]))
      .when(record(liar))
      .thenNothing());
  test('of the same lease with another digest is refused', () =>
    given(noted('ResultReceived', honest))
      .when(record({ ...honest, digest: 'changed' }))
      .thenRejected('ResultIsCommitted'));
  test('of an operator that has voted is refused', () =>
    given(noted('ResultReceived', honest))
      .when(record({ ...alsoHonest, operatorId: honest.operatorId }))
      .thenRejected('OperatorHasVoted'));
  test('is refused after the verdict when its lease is unknown', () =>
    given(verified([honest, alsoHonest]))
      .when(record(liar))
      .thenRejected('TaskIsDecided'));
  test('is refused when its quorum differs', () =>
    given(noted('ResultReceived', honest)).when(record(alsoHonest, 3)).thenRejected('QuorumDiffers'));
  test('is refused when its quorum is nothing', () =>
    given().when(record(honest, 0)).thenRejected('QuorumIsInvalid'));
});

test('any sequence of results leads to at most one verdict, of different operators that agree', () => {
  const anyResult = fc.record({
    operator: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
    digest: fc.constantFrom('d1', 'd2', 'd3'),
  });
  fc.assert(
    fc.property(fc.array(anyResult, { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), (votes, quorum) => {
      const decider = task({ maxReplicas: 5 });
      let state = decider.initialState;
      const events: TaskEvent[] = [];
      for (const { operator, digest } of votes) {
        const decision = decider.decide(record(resultOf(operator, digest), quorum), state);
        if (!decision.accepted) continue;
        events.push(...decision.events);
        state = decision.events.reduce(decider.evolve, state);
      }
      const verdicts = events.filter(
        ({ type }) => type === 'ResultVerified' || type === 'VerificationFailed',
      );
      expect(verdicts.length).toBeLessThanOrEqual(1);
      expect(verdicts).toEqual(events.slice(-1).filter(event => verdicts.includes(event)));
      expect(state.results.length).toBeLessThanOrEqual(5);
      for (const { data } of verdicts) {
        if (!('agreed' in data)) continue;
        expect(new Set(data.agreed.map(result => result.operatorId)).size).toBe(quorum);
        expect(new Set(data.agreed.map(result => result.digest))).toEqual(new Set([data.digest]));
        expect(data.refuted.some(result => result.digest === data.digest)).toBe(false);
      }
    }),
  );
});
