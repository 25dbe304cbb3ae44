import { invalidField } from '../http/problem.js';

/** Of one answer: what is summed up when it is asked for. */
const DAYS_MAX = 366;
const DAYS_UNLESS_ASKED = 30;
const DAY_MS = 86_400_000;

/** Days in UTC, both included. */
export type Period = { readonly from: string; readonly to: string };

/** @throws Problem `request_invalid` */
export function periodOf(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: Date,
): Period {
  const last = to ?? dayOf(now.getTime());
  const first = from ?? dayOf(Date.parse(last) - (DAYS_UNLESS_ASKED - 1) * DAY_MS);
  const days = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  if (days < 1) throw invalidField('from', `must not be after ${last}`);
  if (days > DAYS_MAX)
    throw invalidField('from', `must be at most ${DAYS_MAX} days before the end of ${last}`);
  return { from: first, to: last };
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 'yyyy-mm-dd'.length);
