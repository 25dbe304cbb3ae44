import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import { exchangeOf } from '@astro/messages/commitment';
import type { AuditCommand, AuditEvent, Candidate } from '@astro/messages/verification';
import fc from 'fast-check';
import { commitmentOf } from '../commit-reveal/commit-reveal.js';
import { audit } from './audit.js';
import { drawValidators, secretHashOf, seedOf } from './draw-validators.js';
import { judgeAudit } from './judge-audit.js';

const digestOf = (text: string) => hash('sha256', text);
const terms = { validators: 3, commitWithinMs: 100, revealWithinMs: 100, digestOf };
const given = specify(audit(terms));
const [lie, truth] = [digestOf('lie'), digestOf('truth')];
const salt = '5a'.repeat(16);
const ids = { taskId: 'task_1', round: 1 };
const at = (ms: number) => new Date(ms);
const candidate = (name: string, operator = name): Candidate => ({
  validatorId: `v_${name}`,
  operatorId: `operator_${operator}`,
  stakeAtto: 10n,
});
const candidates = ['a', 'b', 'c'].map(name => candidate(name));
const program = { cid: 'p', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 };
const claimant = { nodeId: 'node_liar', operatorId: 'operator_liar', leaseId: 'lease_1' };
const details = {
  ...{ ...ids, jobId: 'job_1', claimedDigest: lie, claimants: [claimant] },
  ...{ work: { program, inputs: [], args: [] }, secretHash: secretHashOf('s', digestOf) },
  ...{ drawFromBlock: 7, drawUntil: at(1_000) },
};
const requested: AuditEvent = { type: 'AuditRequested', data: { ...ids, reason: 'sample' } };
const openedAs = (reason: 'sample' | 'planted', trueDigest?: string): AuditEvent => ({
  type: 'AuditOpened',
  data: { ...details, reason, ...(trueDigest !== undefined && { trueDigest }) },
});
const opened = openedAs('sample');
const block = { blockNumber: 8, blockHash: '0x8', secret: 's', at: at(0) };
const draw = (change: object = {}): AuditCommand => ({
  type: 'DrawValidators',
  data: { ...ids, ...block, candidates, ...change },
});
const seed = seedOf('0x8', 's', digestOf);
const names = drawValidators(candidates, { seed, count: 3, digestOf });
const drawn: AuditEvent = {
  type: 'ValidatorsDrawn',
  data: {
    ...{ ...ids, blockNumber: 8, blockHash: '0x8', secret: 's', seed, candidates, drawn: names },
    ...{ commitUntil: at(100), revealUntil: at(200) },
  },
};
const commitment = (validatorId: string, digest: string, round = 1) =>
  commitmentOf(exchangeOf('task_1', round), validatorId, { digest, salt }, digestOf);
const commits = (name: string, digest = truth, ms = 10, round = 1) => ({
  ...{ ...ids, validatorId: `v_${name}`, commitment: commitment(`v_${name}`, digest, round), at: at(ms) },
});
const reveals = (name: string, digest = truth, ms = 20) => ({
  ...{ ...ids, validatorId: `v_${name}`, digest, salt, at: at(ms) },
});
const commit = (...of: Parameters<typeof commits>): AuditCommand => ({
  type: 'CommitVerdict',
  data: commits(...of),
});
const reveal = (...of: Parameters<typeof reveals>): AuditCommand => ({
  type: 'RevealVerdict',
  data: reveals(...of),
});
const committed = (...of: Parameters<typeof commits>): AuditEvent => ({
  type: 'CommitReceived',
  data: commits(...of),
});
const revealed = (...of: Parameters<typeof reveals>): AuditEvent => ({
  type: 'RevealReceived',
  data: reveals(...of),
});
const close = (ms: number): AuditCommand => ({ type: 'CloseAudit', data: { ...ids, at: at(ms) } });
const refused = (name: string, input: 'commitment' | 'reveal', reason: string, ms: number): AuditEvent => ({
  type: 'InputRefused',
  data: { ...ids, validatorId: `v_${name}`, input, reason, at: at(ms) },
});
const closed = (change: object): AuditEvent => ({
  type: 'AuditClosed',
  data: {
    ...{ ...ids, jobId: 'job_1', ...claimant, coClaimants: [], reason: 'sample', claimedDigest: lie },
    ...{ outcome: 'inconclusive', digest: '', correct: [], wrong: [], missing: [], policy: 'audit/1', seed },
    thresholds: [
      { name: 'validators', value: 3 },
      { name: 'needed', value: 2 },
      { name: 'commitWithinMs', value: 100 },
      { name: 'revealWithinMs', value: 100 },
    ],
    ...change,
  },
});
const inOrder = (...of: readonly string[]) => names.filter(name => of.includes(name));

describe('an audit', () => {
  test('is requested, then opened with what it is held against, then drawn', () => {
    given()
      .when({ type: 'OpenAudit', data: { taskId: 'task_1', reason: 'sample' } })
      .then(requested);
    given(requested).when({ type: 'PrepareAudit', data: details }).then(opened);
    given(requested, opened).when(draw()).then(drawn);
  });
  test('is not drawn from a block that was there before, nor with another secret', () => {
    given(requested, opened)
      .when(draw({ blockNumber: 6 }))
      .thenRejected('BlockIsTooEarly');
    given(requested, opened)
      .when(draw({ secret: 'another' }))
      .thenRejected('SecretDiffers');
    given(requested).when(draw()).thenRejected('AuditIsNotAtThisStep');
  });
  test('draws nobody of the operator whose result it is', () => {
    const related = [...candidates.slice(1), candidate('liar')];
    given(requested, opened)
      .when(draw({ candidates: related }))
      .then(closed({ flaw: 'too_few_validators' }));
  });
  test('is opened once, and again only after it has said nothing of the result', () => {
    const again: AuditCommand = { type: 'OpenAudit', data: { taskId: 'task_1', reason: 'look_back' } };
    given(requested, opened).when(again).thenRejected('AuditIsOpen');
    given(requested, opened, drawn, closed({ outcome: 'confirmed' }))
      .when(again)
      .thenRejected('TaskIsAudited');
    given(requested, opened, drawn, closed({}))
      .when(again)
      .then({ type: 'AuditRequested', data: { taskId: 'task_1', round: 2, reason: 'look_back' } });
  });
  test('that cannot be carried out says why', () =>
    given(requested, opened)
      .when({ type: 'DropAudit', data: { ...ids, flaw: 'no_block' } })
      .then(closed({ flaw: 'no_block', seed: '' })));
});

describe('a verdict', () => {
  const all = ['a', 'b', 'c'] as const;
  test('overturns what most did not find, and names who was wrong', () =>
    given(
      ...[requested, opened, drawn, committed('a'), committed('b'), committed('c', lie)],
      ...[revealed('a'), revealed('b'), revealed('c', lie)],
    )
      .when(close(30))
      .then(
        closed({ outcome: 'overturned', digest: truth, correct: inOrder('v_a', 'v_b'), wrong: ['v_c'] }),
      ));
  test('names who is silent, whether or not it had committed', () => {
    const before = [requested, opened, drawn, committed('a'), committed('b'), revealed('a'), revealed('b')];
    const verdict = closed({
      ...{ outcome: 'overturned', digest: truth, correct: inOrder('v_a', 'v_b'), missing: ['v_c'] },
    });
    given(...before)
      .when(close(100))
      .thenRejected('AuditGoesOn');
    given(...before)
      .when(close(101))
      .then(verdict);
    given(...before, committed('c'))
      .when(close(200))
      .thenRejected('AuditGoesOn');
    given(...before, committed('c'))
      .when(close(201))
      .then(verdict);
  });
  test('confirms what most found', () =>
    given(
      ...[requested, opened, drawn, ...all.map(name => committed(name, lie))],
      ...all.map(name => revealed(name, lie)),
    )
      .when(close(30))
      .then(closed({ outcome: 'confirmed', digest: lie, correct: names })));
  test('accuses nobody where too few agree', () =>
    given(requested, opened, drawn, committed('a'), committed('b', lie), revealed('a'), revealed('b', lie))
      .when(close(201))
      .then(closed({ flaw: 'no_majority', missing: ['v_c'] })));
  const planted = { drawn: ['a', 'b', 'c'], claimedDigest: lie, trueDigest: truth };
  const found = (...digests: string[]) => new Map(digests.map((digest, index) => ['abc'[index]!, digest]));
  test('on a planted task holds everybody against what is known to be right', () => {
    expect(judgeAudit({ ...planted, digests: found(lie, lie, truth) })).toMatchObject({
      ...{ outcome: 'confirmed', correct: ['c'], wrong: ['a', 'b'] },
    });
    expect(judgeAudit({ ...planted, digests: found(truth, truth, lie) })).toMatchObject({
      ...{ outcome: 'overturned', correct: ['a', 'b'], wrong: ['c'] },
    });
  });
  test('on a planted task whose known result most contradict judges nobody', () => {
    const third = digestOf('a third');
    expect(judgeAudit({ ...planted, digests: found(third, third, truth) })).toMatchObject({
      ...{ outcome: 'inconclusive', correct: [], wrong: [], flaw: 'truth_differs' },
    });
  });
});

describe('bad input is refused and recorded:', () => {
  const open = [requested, opened, drawn];
  test.each<[string, readonly AuditEvent[], AuditCommand, AuditEvent]>([
    [
      'reveal without commitment',
      [],
      reveal('a', truth, 150),
      refused('a', 'reveal', 'NothingIsCommitted', 150),
    ],
    ['a reveal too early', [committed('a')], reveal('a'), refused('a', 'reveal', 'RevealIsEarly', 20)],
    ['a late commitment', [], commit('a', truth, 101), refused('a', 'commitment', 'CommitIsLate', 101)],
    ['a late reveal', [committed('a')], reveal('a', truth, 201), refused('a', 'reveal', 'RevealIsLate', 201)],
    [
      'a second commitment',
      [committed('a')],
      commit('a', lie),
      refused('a', 'commitment', 'CommitmentExists', 10),
    ],
    [
      'one from an earlier round',
      [committed('a', truth, 10, 0)],
      reveal('a', truth, 150),
      refused('a', 'reveal', 'RevealDiffers', 150),
    ],
    [
      'what another found',
      [committed('a'), committed('b', lie)],
      reveal('b', truth, 150),
      refused('b', 'reveal', 'RevealDiffers', 150),
    ],
    ['a stranger’s', [], commit('x'), refused('x', 'commitment', 'PartyIsNotAsked', 10)],
  ])('%s', (_title, before, command, event) =>
    given(...open, ...before)
      .when(command)
      .then(event),
  );
  test('malformed, and of a round that is not this one', () => {
    given(...open)
      .when({ type: 'CommitVerdict', data: { ...commits('a'), commitment: 'yes' } })
      .then(refused('a', 'commitment', 'CommitmentIsMalformed', 10));
    const data = { ...commits('a'), round: 2 };
    given(...open)
      .when({ type: 'CommitVerdict', data })
      .then(refused('a', 'commitment', 'RoundDiffers', 10));
  });
  test('a few of each validator, and of all strangers together', () => {
    const of = (names: readonly string[]) =>
      names.map(name => refused(name, 'commitment', 'CommitIsLate', 101));
    const late = commit('a', truth, 101);
    given(...open, ...of(['a', 'a', 'a', 'a']))
      .when(late)
      .thenRejected('CommitIsLate');
    given(...open, ...of(['x', 'y', 'z', 'x', 'b']))
      .when(late)
      .then(...of(['a']));
    given(...open, ...of(['x', 'y', 'z', 'x']))
      .when(commit('w'))
      .thenRejected('PartyIsNotAsked');
  });
  test('what comes after the verdict, which stands', () =>
    given(...open, committed('a'), closed({ flaw: 'no_majority' }))
      .when(reveal('a', truth, 150))
      .then(refused('a', 'reveal', 'AuditIsClosed', 150)));
  test('the same once more changes nothing', () =>
    given(...open, committed('a'))
      .when(commit('a'))
      .thenNothing());
});

describe('a draw', () => {
  const anyCandidates = fc
    .uniqueArray(fc.record({ name: fc.nat(40), operator: fc.nat(12), stake: fc.bigInt(1n, 10n ** 27n) }), {
      selector: ({ name }) => name,
      maxLength: 20,
    })
    .map(all =>
      all.map(({ name, operator, stake }) => ({ ...candidate(`${name}`, `${operator}`), stakeAtto: stake })),
    );
  test('gives anybody the same, in whatever order they are listed, of each operator one', () => {
    fc.assert(
      fc.property(anyCandidates, fc.string(), fc.constantFrom(1, 3, 5), (all, seed, count) => {
        const names = drawValidators(all, { seed, count, digestOf });
        expect(drawValidators(all.toReversed(), { seed, count, digestOf })).toEqual(names);
        const operators = names.map(id => all.find(({ validatorId }) => validatorId === id)!.operatorId);
        expect(new Set(operators).size).toBe(names.length);
        expect(names.length).toBe(Math.min(count, new Set(all.map(({ operatorId }) => operatorId)).size));
      }),
    );
  });
  test('takes each first in proportion to its stake', () => {
    const stakes = [1n, 2n, 5n];
    const staked = candidates.map((one, index) => ({ ...one, stakeAtto: stakes[index]! * 10n ** 18n }));
    const draws = 8_000;
    const counts = new Map<string, number>();
    for (let index = 0; index < draws; index++) {
      const [first] = drawValidators(staked, { seed: `seed ${index}`, count: 1, digestOf });
      counts.set(first!, (counts.get(first!) ?? 0) + 1);
    }
    // Five standard deviations of so many draws are below 0.028.
    for (const [index, { validatorId }] of staked.entries())
      expect(Math.abs(counts.get(validatorId)! / draws - Number(stakes[index]) / 8)).toBeLessThan(0.028);
  });
});
