import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { adaptive } from './adaptive.js';
import { attested } from './attested.js';
import { drawOf } from './draw.js';
import { allIn, report } from './policies.fixture.js';
import { MILLION, titleOf, type Report, type VerificationPolicy } from './policy.js';
import { figures, published } from './published.js';
import { quorum } from './quorum.js';
import { recheck } from './recheck.js';

const reports = (claims: string): Report[] => [...claims].map((claim, index) => report(`${index}`, claim));
const judge = (policy: VerificationPolicy, claims: string, more = 2) =>
  policy.judge(reports(claims), allIn([...claims], more));
const anyClaims = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 7 });

test('every policy is published once, with its version and its figures', () => {
  expect(published.map(titleOf)).toEqual([
    'quorum/1',
    'adaptive/1',
    'weighted/1',
    'recheck/1',
    'bisect/1',
    'tolerance/1',
    'inference/1',
    'attested/1',
  ]);
  for (const { thresholds } of published)
    expect(Object.values(thresholds).every(value => Number.isFinite(value) && value > 0)).toBe(true);
});

describe('quorum', () => {
  const two = quorum({ quorum: 2 });
  test('believes the first two that agree, and names who differs', () =>
    expect(judge(two, 'aba')).toEqual({
      status: 'accepted',
      agreed: [0, 2],
      culprits: [{ index: 1, why: 'ClaimIsOutvoted' }],
    }));
  test('waits for what was asked for', () =>
    expect(two.judge(reports('a'), { asked: 2, maxReplicas: 5 })).toEqual({ status: 'waiting' }));
  test('wants one more where claims differ', () =>
    expect(judge(two, 'ab')).toEqual({ status: 'wanting', replicas: 1, why: 'ClaimsDiffer' }));
  test('says nothing at the limit of replicas', () =>
    expect(judge(two, 'abc', 0)).toEqual({ status: 'inconclusive', why: 'ReplicasAreExhausted' }));
  test('counts those that lie alike as one voice', () => {
    const group = ['a', 'b', 'c'].map(node => report(node, 'lie', {}, 'group_1'));
    expect(two.judge(group, allIn(group)).status).toBe('wanting');
  });

  test('is monotone: a further voice for what was accepted changes nothing', () => {
    fc.assert(
      fc.property(anyClaims, fc.integer({ min: 1, max: 4 }), (claims, needed) => {
        const policy = quorum({ quorum: needed });
        const before = judge(policy, claims.join(''));
        fc.pre(before.status === 'accepted');
        const claim = claims[before.agreed[0]!]!;
        const after = judge(policy, [...claims, claim].join(''));
        expect(after).toMatchObject({ status: 'accepted', culprits: before.culprits });
      }),
    );
  });
});

describe('recheck', () => {
  const tenth = recheck({ samplePpm: 100_000, quorum: 2, quorumOfDispute: 3 });
  test('asks a second node for what is drawn, whoever the first is', () =>
    expect([99_999, 100_000].map(draw => tenth.replicasAtFirst(report('a', '').standing, draw))).toEqual([
      2, 1,
    ]));
  test('believes one node where only one was asked, and not where two were', () => {
    expect(judge(tenth, 'a').status).toBe('accepted');
    expect(tenth.judge(reports('a'), { asked: 2, maxReplicas: 5 }).status).toBe('waiting');
    expect(judge(tenth, 'ab').status).toBe('wanting');
  });
});

describe('adaptive', () => {
  const policy = adaptive({ ...figures.adaptive, trustedAfter: 10, auditFloorPpm: 20_000 });
  const rateAfter = (validInRow: number) => policy.auditRatePpm(report('a', '', { validInRow }).standing);

  test('audits a node always until it is trusted, then by 1/N, and never less than the floor', () =>
    expect([0, 9, 10, 40, 50, 1_000].map(rateAfter)).toEqual([
      MILLION,
      MILLION,
      100_000,
      25_000,
      20_000,
      20_000,
    ]));
  test('an accusation needs one voice more than an acceptance', () => {
    expect(judge(policy, 'aa').status).toBe('accepted');
    expect(judge(policy, 'aba').status).toBe('wanting');
    expect(judge(policy, 'abaa')).toMatchObject({ status: 'accepted', culprits: [{ index: 1 }] });
  });
  test('runs again what a refuted node was believed alone, and a sample of what one did that leaves', () => {
    expect(policy.runsAgain('refuted', 1_999, MILLION - 1)).toBe(true);
    expect(policy.runsAgain('refuted', 2_000, 0)).toBe(false);
    expect(policy.runsAgain('left', 99, 199_999)).toBe(true);
    expect(policy.runsAgain('left', 99, 200_000)).toBe(false);
    expect(policy.runsAgain('left', 100, 0)).toBe(false);
  });
  test('asks for as many as the draw and the standing say', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(MILLION - 1), (validInRow, draw) => {
        const { standing } = report('a', '', { validInRow });
        expect(policy.replicasAtFirst(standing, draw)).toBe(draw < policy.auditRatePpm(standing) ? 2 : 1);
      }),
    );
  });
});

describe('attested', () => {
  const policy = attested({ samplePpm: 20_000, quorum: 2, quorumOfDispute: 3 });
  const proven = { isAttested: true };
  test('believes no node without evidence', () => {
    const bare = [report('a', 'x')];
    expect(policy.judge(bare, allIn(bare))).toMatchObject({ status: 'wanting', why: 'NodeIsNotAttested' });
  });
  test('believes one node with evidence where it is not in the sample', () => {
    const one = [report('a', 'x', proven)];
    expect(policy.judge(one, allIn(one))).toEqual({ status: 'accepted', agreed: [0], culprits: [] });
  });
  test('lets no node without evidence decide between two that have it', () => {
    const three = [report('a', 'x', proven), report('b', 'x'), report('c', 'x', proven)];
    expect(policy.judge(three, allIn(three))).toEqual({
      status: 'accepted',
      agreed: [0, 2],
      culprits: [{ index: 1, why: 'NodeIsNotAttested' }],
    });
    const split = [report('a', 'x', proven), report('b', 'y'), report('c', 'y', proven)];
    expect(policy.judge(split, allIn(split)).status).toBe('wanting');
  });
});

test('a draw is the same for all who know the seed, and even over all that is drawn for', () => {
  const draws = Array.from({ length: 4_000 }, (_, index) => drawOf('seed', `task_${index}`));
  expect(drawOf('seed', 'task_0')).toBe(draws[0]);
  expect(drawOf('another seed', 'task_0')).not.toBe(draws[0]);
  const low = draws.filter(draw => draw < MILLION / 10).length;
  expect(low).toBeGreaterThan(320);
  expect(low).toBeLessThan(480);
});
