import { setImmediate as turn } from 'node:timers/promises';
import type { EntitySchema, RequiredEntityData } from '@mikro-orm/core';
import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import { arrayParameter } from './array-parameter.js';
import { columnsOf, type Column } from './columns.js';
import { tableOf } from './stage.js';

/** What happens to a row whose key is there already: the one that is there stays, or the statement fails. */
export type OnConflict = 'ignore' | 'fail';

/** Of one statement. Its parameters are one array for each column, made while the statement before is executed. */
const maxRowsPerStatement = 500;

type Rows = Iterable<Readonly<Record<string, unknown>>>;

/**
 * Writes new rows, many in one statement. No two rows may have one key.
 * @param rows made one by one, if they are, while the statement before theirs is executed
 */
export async function insertRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  rows: Iterable<RequiredEntityData<Row>>,
  onConflict: OnConflict,
): Promise<void> {
  const columns = columnsOf(em, entity);
  const names = columns.map(({ name }) => name).join(', ');
  const sql = `insert into ${tableOf(em, entity)} (${names}) select * from unnest(${arraysOf(columns)})
    ${onConflict === 'ignore' ? 'on conflict do nothing' : ''}`;
  await inParts(em, sql, columns, rows);
}

/** Changes some properties of rows that are there, many in one statement. No two rows may have one key. */
export async function updateRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  rows: readonly Row[],
  properties: ReadonlySet<string>,
): Promise<void> {
  const columns = columnsOf(em, entity);
  const keys = columns.filter(({ isKey }) => isKey);
  const changed = columns.filter(({ property }) => properties.has(property));
  const taken = [...keys, ...changed];
  const sql = `update ${tableOf(em, entity)} as r
    set ${changed.map(({ name }) => `${name} = n.${name}`).join(', ')}
    from unnest(${arraysOf(taken)}) as n(${taken.map(({ name }) => name).join(', ')})
    where ${keys.map(({ name }) => `r.${name} = n.${name}`).join(' and ')}`;
  await inParts(em, sql, taken, rows as Rows);
}

/** The rows with these keys, of a table with one key column, as plain objects. */
export async function readRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  keys: readonly string[],
): Promise<readonly Row[]> {
  const columns = columnsOf(em, entity);
  const { name: key, type } = columns.find(({ property }) => property === keyOf(em, entity))!;
  const selected = columns.map(({ selected }, index) => `${selected} as "${index}"`).join(', ');
  const sql = `select ${selected} from ${tableOf(em, entity)} where ${key} = any($1::${type}[])`;
  const { rows } = await execute<Stored>(em, sql, [arrayParameter(type, keys)]);
  return rows.map(stored => rowOf<Row>(columns, stored));
}

/**
 * Of each group of rows the last one, as plain objects; none of a group without rows.
 * @param by property that holds the group; an index on it and `order` finds each row at once
 * @param order properties by which the rows of a group are in order
 */
export async function lastRowOfEach<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  by: keyof Row & string,
  groups: readonly string[],
  order: readonly (keyof Row & string)[],
): Promise<readonly Row[]> {
  const columns = columnsOf(em, entity);
  const columnOf = (property: string) => columns.find(column => column.property === property)!;
  const { name: group, type } = columnOf(by);
  const selected = columns.map(({ selected }, index) => `${selected} as "${index}"`).join(', ');
  const sql = `select r.* from unnest($1::${type}[]) as g(of) cross join lateral (
      select ${selected} from ${tableOf(em, entity)} where ${group} = g.of
      order by ${order.map(property => `${columnOf(property).name} desc`).join(', ')} limit 1
    ) as r`;
  const { rows } = await execute<Stored>(em, sql, [arrayParameter(type, groups)]);
  return rows.map(stored => rowOf<Row>(columns, stored));
}

type Stored = Readonly<Record<number, unknown>>;

function rowOf<Row>(columns: readonly Column[], stored: Stored): Row {
  const row: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    const value = stored[index];
    row[column.property] = value === null ? null : column.valueOf(value);
  }
  return row as Row;
}

/** Property of the one key column. */
export function keyOf<Row extends object>(em: EntityManager, entity: EntitySchema<Row>): keyof Row & string {
  const [key, ...more] = em.getMetadata(entity).primaryKeys;
  if (key === undefined || more.length > 0)
    throw new Error(`${entity.meta.className} has not one key column`);
  return key;
}

const arraysOf = (columns: readonly Column[]): string =>
  columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');

async function inParts(
  em: EntityManager,
  sql: string,
  columns: readonly Column[],
  rows: Rows,
): Promise<void> {
  let executing: Promise<unknown> = Promise.resolve();
  try {
    for (const part of partsOf(rows)) {
      const valuesOf = ({ property }: Column) => part.map(row => row[property]);
      const parameters = columns.map(column => arrayParameter(column.type, valuesOf(column)));
      await executing;
      executing = execute(em, sql, parameters);
      // Only now it is sent, and executed while the next rows are made.
      await Promise.race([executing, turn()]);
    }
  } finally {
    await executing;
  }
}

function* partsOf<Row>(rows: Iterable<Row>): Generator<readonly Row[]> {
  let part: Row[] = [];
  for (const row of rows) {
    part.push(row);
    if (part.length === maxRowsPerStatement) {
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}

/** Not by em.execute, which writes every parameter into the text of the statement. */
function execute<Result>(
  em: EntityManager,
  sql: string,
  parameters: readonly unknown[],
): Promise<{ readonly rows: readonly Result[] }> {
  return (em.getTransactionContext<Kysely<unknown>>() ?? em.getKysely()).executeQuery<Result>({
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as never,
    queryId: { queryId: 'rows' },
  });
}
