/** Some rows of a list, and where the next ones begin. */
export type Page<Row> = {
  readonly items: readonly Row[];
  /** Opaque; absent on the last page. */
  readonly nextCursor?: string;
};

export type PageQuery = {
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** From 1 to 200. */
  readonly limit: number;
};

const maxLimit = 200;

/** A cursor that no list of this kind gave out. */
export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor';
}

/** A page of `rows`, of which one more than `limit` was read: it tells whether there is a next page. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly string[],
): Page<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  return { items, nextCursor: Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') };
}

/** How many rows to read for a page. @throws RangeError */
export function rowsFor(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new RangeError(`limit must be from 1 to ${maxLimit}, not ${limit}`);
  }
  return limit + 1;
}

/** The key of the last row before the page. @throws InvalidCursor */
export function keyIn(cursor: string, parts: number): readonly string[] {
  const key = parsed(Buffer.from(cursor, 'base64url').toString());
  if (!Array.isArray(key) || key.length !== parts || !key.every(part => typeof part === 'string')) {
    throw new InvalidCursor('this cursor is not of this list');
  }
  return key;
}

/** The key of a list ordered by time, then by id. @throws InvalidCursor */
export function timeAndIdIn(cursor: string): readonly [Date, string] {
  const [time = '', id = ''] = keyIn(cursor, 2);
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) throw new InvalidCursor('this cursor is not of this list');
  return [date, id];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidCursor('this cursor is not of this list', { cause });
  }
}
