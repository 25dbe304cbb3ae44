import type { Drain, Offer } from '@astro/messages/registry';

/** What runs longer than that ends by its own deadline long before. */
const NOTICE_MAX_MS = 30 * 24 * 3_600_000;
/** The last moment that a message can name: a drain has no end but the word of the operator. */
const FOREVER = new Date('9999-12-31T23:59:59Z');

/** The rule that the drain breaks, as `field: rule`; undefined when it breaks none. */
export function drainProblem({ from, noticeUntil }: Drain): string | undefined {
  if (noticeUntil === undefined) return undefined;
  const noticeMs = noticeUntil.getTime() - from.getTime();
  return noticeMs >= 0 && noticeMs <= NOTICE_MAX_MS
    ? undefined
    : `drain.noticeUntil: must be from drain.from to ${NOTICE_MAX_MS} ms after it`;
}

/**
 * What holds once a node that is drained is drained again: since the first time, and until the earlier notice, because
 * who was told to end by then was told so for good.
 */
export function stricter(before: Drain | undefined, asked: Drain): Drain {
  if (!before) return asked;
  const { noticeUntil } = asked;
  if (noticeUntil === undefined) return before;
  const isEarlier = before.noticeUntil === undefined || noticeUntil < before.noticeUntil;
  return isEarlier ? { from: before.from, noticeUntil } : before;
}

/** The offer as those who place work get it: a drained node is in maintenance, so that it gets no more. */
export const offerUnder = (drain: Drain | undefined, offer: Offer): Offer =>
  drain ? { ...offer, maintenance: [...offer.maintenance, { from: drain.from, until: FOREVER }] } : offer;
