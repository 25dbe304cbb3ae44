import { invalidField } from '../http/problem.js';

/** Where a client of a stream goes on. @throws Problem when it is no position */
export function positionIn(field: string, text: string | string[] | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  throw invalidField(field, 'must be the `id` of an event');
}
