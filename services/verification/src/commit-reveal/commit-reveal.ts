import { commitmentText, type Opening } from '@astro/messages/commitment';

/** SHA-256 in hex, given by the edge: the rules themselves know no library. */
export type DigestOf = (text: string) => string;

export type CommitRevealRejection =
  | 'PartyIsNotAsked'
  | 'CommitmentIsMalformed'
  | 'CommitmentExists'
  | 'CommitmentIsCopied'
  | 'CommitIsLate'
  | 'RevealIsEarly'
  | 'RevealIsLate'
  | 'RevealIsMalformed'
  | 'NothingIsCommitted'
  | 'RevealDiffers'
  | 'RevealExists';

export type Reveal = Opening;

/** One task whose parties commit to what they found before anybody can read what another found. */
export type CommitReveal = {
  readonly taskId: string;
  /** Who was asked. */
  readonly parties: readonly string[];
  readonly commitUntilMs: number;
  readonly revealUntilMs: number;
  readonly commitments: ReadonlyMap<string, string>;
  readonly reveals: ReadonlyMap<string, Reveal>;
};

export type Step =
  | { readonly taken: true; readonly state: CommitReveal }
  | { readonly taken: false; readonly rejection: CommitRevealRejection };

const HEX_256 = /^[0-9a-f]{64}$/;
/** Without 128 bits of salt a commitment to one of few results could be guessed. */
const SALT = /^[0-9a-f]{32,64}$/;

export const opened = (
  terms: Pick<CommitReveal, 'taskId' | 'parties' | 'commitUntilMs' | 'revealUntilMs'>,
): CommitReveal => ({ ...terms, commitments: new Map(), reveals: new Map() });

/** Bound to the task and to the node, so that neither another task's nor another node's can be used again. */
export const commitmentOf = (taskId: string, nodeId: string, opening: Reveal, digestOf: DigestOf): string =>
  digestOf(commitmentText(taskId, nodeId, opening));

/** The same commitment once more changes nothing. */
export function commit(
  state: CommitReveal,
  {
    nodeId,
    commitment,
    atMs,
  }: { readonly nodeId: string; readonly commitment: string; readonly atMs: number },
): Step {
  if (!state.parties.includes(nodeId)) return rejected('PartyIsNotAsked');
  if (!HEX_256.test(commitment)) return rejected('CommitmentIsMalformed');
  const known = state.commitments.get(nodeId);
  if (known !== undefined) return known === commitment ? taken(state) : rejected('CommitmentExists');
  if (atMs > state.commitUntilMs) return rejected('CommitIsLate');
  if ([...state.commitments.values()].includes(commitment)) return rejected('CommitmentIsCopied');
  return taken({ ...state, commitments: new Map(state.commitments).set(nodeId, commitment) });
}

/** All have committed, or the time to do so is over: from now on nothing can be copied. */
export const mayReveal = ({ parties, commitments, commitUntilMs }: CommitReveal, atMs: number): boolean =>
  commitments.size === parties.length || atMs > commitUntilMs;

/** The same reveal once more changes nothing. */
export function reveal(
  state: CommitReveal,
  { nodeId, digest, salt, atMs }: Reveal & { readonly nodeId: string; readonly atMs: number },
  digestOf: DigestOf,
): Step {
  if (!state.parties.includes(nodeId)) return rejected('PartyIsNotAsked');
  if (!HEX_256.test(digest) || !SALT.test(salt)) return rejected('RevealIsMalformed');
  const known = state.reveals.get(nodeId);
  if (known) return known.digest === digest && known.salt === salt ? taken(state) : rejected('RevealExists');
  const commitment = state.commitments.get(nodeId);
  if (commitment === undefined) return rejected('NothingIsCommitted');
  if (!mayReveal(state, atMs)) return rejected('RevealIsEarly');
  if (atMs > state.revealUntilMs) return rejected('RevealIsLate');
  if (commitmentOf(state.taskId, nodeId, { digest, salt }, digestOf) !== commitment)
    return rejected('RevealDiffers');
  return taken({ ...state, reveals: new Map(state.reveals).set(nodeId, { digest, salt }) });
}

/** Who committed and did not reveal in time: judged as a wrong result, or a lie could be taken back for nothing. */
export const silentAt = (
  { commitments, reveals, revealUntilMs }: CommitReveal,
  atMs: number,
): readonly string[] =>
  atMs <= revealUntilMs ? [] : [...commitments.keys()].filter(nodeId => !reveals.has(nodeId));

const taken = (state: CommitReveal): Step => ({ taken: true, state });
const rejected = (rejection: CommitRevealRejection): Step => ({ taken: false, rejection });
