import type { ChallengeNode } from '@astro/messages/registry';

/** What the node's next evidence must hold, so that it is no older than the question. */
export type Challenge = Omit<ChallengeNode, 'nodeId'>;

/** Long enough for a machine with eight devices to gather its evidence. */
const MAX_LIFE_MS = 10 * 60_000;
const NONCE = /^[0-9a-f]{64}$/;

/** The first rule that the challenge breaks, as `field: rule`; undefined when it breaks none. */
export function challengeProblem({ nonce, issuedAt, expiresAt }: Challenge): string | undefined {
  if (!NONCE.test(nonce)) return 'nonce: must be 32 bytes in hexadecimal digits';
  const lifeMs = expiresAt.getTime() - issuedAt.getTime();
  return lifeMs > 0 && lifeMs <= MAX_LIFE_MS
    ? undefined
    : `expiresAt: must be after issuedAt, by at most ${MAX_LIFE_MS} ms`;
}

/**
 * Whether half of its life is left, and there is no need of another one: a node that asks again and again, as after a
 * lost answer, leaves one event and not many.
 */
export function isFresh({ issuedAt, expiresAt }: Challenge, at: Date): boolean {
  const leftMs = expiresAt.getTime() - at.getTime();
  return 2 * leftMs >= expiresAt.getTime() - issuedAt.getTime();
}
