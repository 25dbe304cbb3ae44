import { keyOf } from '@astro/postgres/rows';
import {
  IsolationLevel,
  type EntityManager,
  type EntitySchema,
  type FilterQuery,
  type QueryOrderMap,
} from '@mikro-orm/postgresql';
import { keyIn, pageOf, rowsFor, type PageQuery } from '../page.js';
import { readHead, type Head } from './head.js';

/** An answer from a read model of the chain. */
export type AsOf<Row> = {
  /** Number of the block up to which the answer knows the chain. */
  readonly asOfBlock: number;
  /** Whether no reorganisation can take back any of the rows as they are here. */
  readonly isFinal: boolean;
  readonly rows: readonly Row[];
  /** Opaque; absent where nothing follows. */
  readonly nextCursor?: string;
};

type Final = { readonly isFinal: boolean };

/** What `read` finds, as of one block: the whole answer is one snapshot. Undefined before the first block. */
export function readAsOf<Row extends Final>(
  em: EntityManager,
  head: EntitySchema<Head>,
  read: (em: EntityManager) => Promise<readonly Row[]>,
): Promise<AsOf<Row> | undefined> {
  return inSnapshot(em, head, async within => ({ rows: await read(within) }));
}

/**
 * Rows in the order of their one key, which is a text.
 * @param complete adds to the rows of the page what belongs to them
 * @throws InvalidCursor
 */
export function pageAsOf<Row extends Final & object, Whole extends Final = Row>(
  em: EntityManager,
  head: EntitySchema<Head>,
  entity: EntitySchema<Row>,
  { cursor, limit }: PageQuery,
  where: FilterQuery<Row>,
  complete: (em: EntityManager, rows: readonly Row[]) => Promise<readonly Whole[]>,
): Promise<AsOf<Whole> | undefined> {
  const key = keyOf(em, entity);
  const after = cursor === undefined ? {} : { [key]: { $gt: keyIn(cursor, 1)[0] } };
  return inSnapshot(em, head, async within => {
    const rows = await within.find(entity, { $and: [where, after] } as FilterQuery<Row>, {
      orderBy: { [key]: 'asc' } as QueryOrderMap<Row>,
      limit: rowsFor(limit),
    });
    const page = pageOf(rows as readonly Row[], limit, row => [String(row[key])]);
    const whole = await complete(within, page.items);
    return { rows: whole, ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }) };
  });
}

/** For rows that are whole as they are. */
export const asTheyAre = async <Row>(_em: EntityManager, rows: readonly Row[]): Promise<readonly Row[]> =>
  rows;

function inSnapshot<Row extends Final>(
  em: EntityManager,
  head: EntitySchema<Head>,
  read: (em: EntityManager) => Promise<Pick<AsOf<Row>, 'rows' | 'nextCursor'>>,
): Promise<AsOf<Row> | undefined> {
  const options = { isolationLevel: IsolationLevel.REPEATABLE_READ, readOnly: true };
  return em.transactional(async within => {
    const at = await readHead(within, head);
    if (at === undefined) return undefined;
    const found = await read(within);
    return { ...found, asOfBlock: at.asOfBlock, isFinal: found.rows.every(({ isFinal }) => isFinal) };
  }, options);
}
