import type { RevocationList } from '@nats-io/jwt';
import { AGENT_JWT_TTL_MAX_SECONDS } from './credentials.js';

/** A key for which nothing that was issued up to a moment counts any more. */
export type RevokedKey = { readonly publicKey: string; readonly revokedAt: Date };

/** In the JWT of an account: of everybody's key. */
const EVERYBODY = '*';
/** An account's JWT is one message and is read whole at each connection: this many are less than a MiB. */
const REVOCATIONS_MAX = 10_000;
/**
 * What whoever issues credentials may still do after the fact: it learns of it from a read model that lags a little,
 * and its clock may be ahead. Nothing else has been issued for a key that is lost.
 */
const LATE_ISSUE_SECONDS = 60;

/**
 * What an account's JWT must say once these keys are revoked too. What was issued before the longest life of a JWT has
 * expired by itself. Of too many the oldest are put together: everybody needs credentials that are newer than they.
 */
export function withRevoked(
  current: RevocationList,
  revoked: readonly RevokedKey[],
  now: Date,
): RevocationList {
  const until = new Map(Object.entries(current));
  for (const { publicKey, revokedAt } of revoked) {
    const seconds = Math.floor(revokedAt.getTime() / 1_000) + LATE_ISSUE_SECONDS;
    until.set(publicKey, Math.max(seconds, until.get(publicKey) ?? 0));
  }
  const oldest = Math.floor(now.getTime() / 1_000) - AGENT_JWT_TTL_MAX_SECONDS;
  const standing = [...until].filter(([, seconds]) => seconds >= oldest).sort(latestFirst);
  const kept = standing.slice(0, REVOCATIONS_MAX);
  const [, together] = standing[REVOCATIONS_MAX] ?? [];
  if (together !== undefined) kept.push([EVERYBODY, together]);
  return Object.fromEntries(kept);
}

const latestFirst = (
  [oneKey, one]: readonly [string, number],
  [otherKey, other]: readonly [string, number],
): number => other - one || (oneKey < otherKey ? -1 : 1);
