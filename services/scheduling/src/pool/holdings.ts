import { accept, reject, type Decision } from '@astro/event-sourcing/decider';
import { isCid } from '@astro/messages/content-id';
import { holdingsDigest, holdingsLimits } from '@astro/messages/holdings';
import type { HoldingsLost, HoldingsNoted, NoteHoldings, PoolEvent } from '@astro/messages/scheduling';
import { recordOf } from './end-lease.js';
import { engineOfferOf } from './fleet.js';
import type { Told } from './node-record.js';
import type { Pool } from './pool-state.js';

export type HoldingsRejection = 'HoldingsAreInvalid' | 'HoldingsToldTooOften';

/** A node may say on average once in this time what has changed, and so many times at once. */
const PACE_MS = 25_000;
const BURST = 8;

/**
 * What a node says of what it holds is a claim: it gets the node a preference for work with these contents, and others
 * ask it for them. Where what is counted here has another digest than what the node counts, something was missed, and
 * nothing counts until all of it is said.
 */
export function noteHoldings(data: NoteHoldings, pool: Pool): Decision<PoolEvent, HoldingsRejection> {
  const { poolId, nodeId, at: notedAt, isWhole, held, dropped } = data;
  const flaw = flawOf(data);
  if (flaw !== undefined) return reject('HoldingsAreInvalid', flaw);
  const told = pool.records.get(nodeId)?.told;
  // A node that says all of it anew, as after each start, has mostly nothing new to say.
  if (isWhole && told && !told.isLost && hasSame(told.held, held)) return accept();
  if (paidUntilMs(told, notedAt) > notedAt.getTime() + BURST * PACE_MS) return reject('HoldingsToldTooOften');
  const next = heldAfter(told, data);
  const isLost = !isWhole && (!told || told.isLost || holdingsDigest(next) !== data.digest);
  if (isLost)
    return told?.isLost ? accept() : accept({ type: 'HoldingsLost', data: { poolId, nodeId, notedAt } });
  if (next.size > holdingsLimits.files) return reject('HoldingsAreInvalid', tooMany);
  return accept({ type: 'HoldingsNoted', data: { poolId, nodeId, notedAt, isWhole, held, dropped } });
}

const tooMany = `held, dropped: at most ${holdingsLimits.files} files`;

function flawOf({ held, dropped }: NoteHoldings): string | undefined {
  if (Math.max(held.length, dropped.length) > holdingsLimits.files) return tooMany;
  return [...held, ...dropped].every(isCid) ? undefined : 'held, dropped: must be content ids';
}

export function takeHoldings(pool: Pool, data: HoldingsNoted): void {
  const { told } = recordOf(pool, data.nodeId);
  remember(pool, data, { held: heldAfter(told, data), isLost: false });
}

export const loseHoldings = (pool: Pool, data: HoldingsLost): void =>
  remember(pool, data, { held: new Set(), isLost: true });

function remember(
  pool: Pool,
  { nodeId, notedAt }: Pick<HoldingsNoted, 'nodeId' | 'notedAt'>,
  known: Omit<Told, 'paidUntilMs'>,
): void {
  const record = recordOf(pool, nodeId);
  record.told = { ...known, paidUntilMs: paidUntilMs(record.told, notedAt) };
  const node = pool.nodes.get(nodeId);
  // It may say so before it is admitted.
  if (!node) return;
  node.engineOffer = engineOfferOf(node.offer, record, node.attestation);
  pool.room.updateNode(node.engineOffer);
}

const paidUntilMs = (told: Told | undefined, at: Date): number =>
  Math.max(told?.paidUntilMs ?? 0, at.getTime()) + PACE_MS;

function heldAfter(
  told: Told | undefined,
  { isWhole, held, dropped }: Pick<HoldingsNoted, 'isWhole' | 'held' | 'dropped'>,
): ReadonlySet<string> {
  const gone = new Set(dropped);
  const before = isWhole ? [] : [...(told?.held ?? [])].filter(cid => !gone.has(cid));
  return new Set([...before, ...held]);
}

const hasSame = (known: ReadonlySet<string>, cids: readonly string[]): boolean =>
  known.size === new Set(cids).size && cids.every(cid => known.has(cid));
