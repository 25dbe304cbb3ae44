import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  commit,
  commitmentOf,
  mayReveal,
  opened,
  reveal,
  silentAt,
  type CommitReveal,
} from './commit-reveal.js';

const digestOf = (text: string) => hash('sha256', text);
const found = { digest: digestOf('result'), salt: '5a'.repeat(16) };
const other = { digest: digestOf('another result'), salt: 'a5'.repeat(16) };
const terms = { taskId: 'task_1', parties: ['a', 'b'], commitUntilMs: 100, revealUntilMs: 200 };
const commitment = (nodeId: string, what = found, taskId = 'task_1') =>
  commitmentOf(taskId, nodeId, what, digestOf);

function after(...steps: readonly ((state: CommitReveal) => ReturnType<typeof commit>)[]): CommitReveal {
  return steps.reduce((state, step) => {
    const result = step(state);
    if (!result.taken) throw new Error(result.rejection);
    return result.state;
  }, opened(terms));
}
const commits =
  (nodeId: string, value = commitment(nodeId), atMs = 1) =>
  (state: CommitReveal) =>
    commit(state, { nodeId, commitment: value, atMs });
const reveals =
  (nodeId: string, what = found, atMs = 50) =>
  (state: CommitReveal) =>
    reveal(state, { nodeId, ...what, atMs }, digestOf);
const both = after(commits('a'), commits('b'));
const refused = (rejection: string) => ({ taken: false, rejection });

test('both commit, then both reveal', () => {
  const state = after(commits('a'), commits('b'), reveals('a'), reveals('b'));
  expect([...state.reveals.keys()]).toEqual(['a', 'b']);
  expect(silentAt(state, 1_000)).toEqual([]);
});

describe('a commitment is refused', () => {
  test.each([
    ['of somebody who was not asked', commits('c'), 'PartyIsNotAsked'],
    ['that is no digest', commits('a', 'yes'), 'CommitmentIsMalformed'],
    ['that comes late', commits('a', commitment('a'), 101), 'CommitIsLate'],
  ] as const)('%s', (_title, step, rejection) => expect(step(opened(terms))).toEqual(refused(rejection)));
  test('when there is another already', () =>
    expect(commits('a', commitment('a', other))(both)).toEqual(refused('CommitmentExists')));
  test('when it is that of another node', () =>
    expect(commits('b', commitment('a'))(after(commits('a')))).toEqual(refused('CommitmentIsCopied')));
});

describe('a reveal is refused', () => {
  test.each([
    ['of somebody who was not asked', reveals('c'), both, 'PartyIsNotAsked'],
    ['without a commitment', reveals('b', found, 150), after(commits('a')), 'NothingIsCommitted'],
    ['while another may still commit', reveals('a'), after(commits('a')), 'RevealIsEarly'],
    ['that comes late', reveals('a', found, 201), both, 'RevealIsLate'],
    ['that is no digest', reveals('a', { ...found, digest: 'x' }), both, 'RevealIsMalformed'],
    [
      'with a salt that could be guessed',
      reveals('a', { ...found, salt: 'abcd' }),
      both,
      'RevealIsMalformed',
    ],
    ['of another result', reveals('a', other), both, 'RevealDiffers'],
    ['with another salt', reveals('a', { ...found, salt: other.salt }), both, 'RevealDiffers'],
    [
      'when there is another already',
      reveals('a', other),
      after(commits('a'), commits('b'), reveals('a')),
      'RevealExists',
    ],
  ] as const)('%s', (_title, step, state, rejection) => expect(step(state)).toEqual(refused(rejection)));
  test('when its commitment is that of another node', () => {
    const copied = after(commits('b', commitment('a')), commits('a', commitment('a', other)));
    expect(reveals('b')(copied)).toEqual(refused('RevealDiffers'));
  });
  test('when its commitment was made for another task', () => {
    const replayed = after(commits('a', commitment('a', found, 'task_0')), commits('b'));
    expect(reveals('a')(replayed)).toEqual(refused('RevealDiffers'));
  });
});

test('the same once more changes nothing, however late', () => {
  const state = after(commits('a'), commits('b'), reveals('a'));
  expect(commits('a', commitment('a'), 10_000)(state)).toEqual({ taken: true, state });
  expect(reveals('a', found, 10_000)(state)).toEqual({ taken: true, state });
});

test('who committed and is silent is known when the time is over', () => {
  const state = after(commits('a'), commits('b'), reveals('a'));
  expect(silentAt(state, 200)).toEqual([]);
  expect(silentAt(state, 201)).toEqual(['b']);
});

test('no reveal is taken before nothing can be committed any more', () => {
  const anyStep = fc.record({
    nodeId: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom(found, other),
    isCommit: fc.boolean(),
    atMs: fc.nat(300),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), steps => {
      let state = opened(terms);
      for (const { nodeId, what, isCommit, atMs } of steps.toSorted((a, b) => a.atMs - b.atMs)) {
        const step = isCommit ? commits(nodeId, commitment(nodeId, what), atMs) : reveals(nodeId, what, atMs);
        const result = step(state);
        if (!result.taken) continue;
        if (result.state.commitments.size > state.commitments.size) expect(state.reveals.size).toBe(0);
        if (result.state.reveals.size > state.reveals.size) expect(mayReveal(state, atMs)).toBe(true);
        state = result.state;
      }
      for (const [nodeId, what] of state.reveals)
        expect(state.commitments.get(nodeId)).toBe(commitment(nodeId, what));
    }),
  );
});
