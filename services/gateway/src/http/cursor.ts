import { createHash } from 'node:crypto';
import { z } from 'zod';
import { invalidField } from './problem.js';

/**
 * An opaque place in a list. It is bound to the list's `scope` (which list, whose, which filter), so that a
 * cursor of another list, another tenant or another filter, or one that was edited, is refused instead of
 * skipping rows. It grants nothing: what may be read follows from the caller alone.
 */
export const encodeCursor = (scope: string, after: string): string =>
  Buffer.from(JSON.stringify([after, digest(scope, after)])).toString('base64url');

const content = z.tuple([z.string().max(300), z.string().length(16)]);

/** @throws Problem `cursor_invalid` */
export function decodeCursor(scope: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const bytes = Buffer.from(cursor, 'base64url');
  // Decoding is lenient: only the spelling that was given out is taken.
  if (bytes.toString('base64url') !== cursor) throw refused();
  const parsed = content.safeParse(parseJson(bytes.toString()));
  if (!parsed.success) throw refused();
  const [after, check] = parsed.data;
  if (check !== digest(scope, after)) throw refused();
  return after;
}

const refused = () =>
  invalidField('cursor', 'must be the `nextCursor` of a page of this list', 'cursor_invalid');

const digest = (scope: string, after: string) =>
  createHash('sha256').update(`${scope}\n${after}`).digest('hex').slice(0, 16);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
