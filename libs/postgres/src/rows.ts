import type { EntityProperty, EntitySchema, RequiredEntityData } from '@mikro-orm/core';
import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import { tableOf } from './stage.js';

/** What happens to a row whose key is there already: it stays, or the new one takes its place. */
export type OnConflict = 'ignore' | 'replace';

/** Bounds the memory of one statement; its parameters are one array for each column. */
const maxRowsPerStatement = 5_000;

type Column = { readonly property: string; readonly type: string; textOf(value: unknown): string };
type Statement = { readonly columns: readonly Column[]; readonly sql: string };

/**
 * Writes many rows in one statement, as one array for each column: several times as fast as a list of values. No two
 * rows may have one key.
 */
export async function writeRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  rows: readonly RequiredEntityData<Row>[],
  onConflict: OnConflict,
): Promise<void> {
  for (let from = 0; from < rows.length; from += maxRowsPerStatement) {
    const part = rows.slice(from, from + maxRowsPerStatement) as readonly Readonly<Record<string, unknown>>[];
    const { columns, sql } = statementFor(em, entity, onConflict);
    const parameters = columns.map(column => arrayOf(part, column));
    // Not by em.execute, which writes every parameter into the text of the statement.
    await (em.getTransactionContext<Kysely<unknown>>() ?? em.getKysely()).executeQuery({
      sql,
      parameters,
      query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as never,
      queryId: { queryId: 'rows' },
    });
  }
}

/** The rows with these keys, of a table with one key column. Not tracked: changes to them change no row. */
export async function readRows<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  keys: readonly string[],
): Promise<readonly Row[]> {
  const where = { [keyOf(em, entity)]: { $in: [...keys] } } as never;
  return em.find(entity, where, { disableIdentityMap: true });
}

/** Property of the one key column. */
export function keyOf<Row extends object>(em: EntityManager, entity: EntitySchema<Row>): keyof Row & string {
  const [key, ...more] = em.getMetadata(entity).primaryKeys;
  if (key === undefined || more.length > 0)
    throw new Error(`${entity.meta.className} has not one key column`);
  return key;
}

const statements = new WeakMap<object, Map<string, Statement>>();

function statementFor<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  onConflict: OnConflict,
): Statement {
  const known = statements.get(entity) ?? new Map<string, Statement>();
  statements.set(entity, known);
  const table = tableOf(em, entity);
  const key = `${table} ${onConflict}`;
  const statement = known.get(key) ?? statementOf(table, em.getMetadata(entity).props, onConflict);
  known.set(key, statement);
  return statement;
}

function statementOf(
  table: string,
  properties: readonly EntityProperty[],
  onConflict: OnConflict,
): Statement {
  const columns = properties.map(columnOf);
  const names = properties.map(nameOf);
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`);
  const keys = properties.filter(({ primary }) => primary).map(nameOf);
  const changes = properties
    .filter(({ primary }) => !primary)
    .map(nameOf)
    .map(name => `${name} = excluded.${name}`);
  const action = onConflict === 'ignore' ? 'nothing' : `update set ${changes.join(', ')}`;
  const sql = `insert into ${table} (${names.join(', ')}) select * from unnest(${arrays.join(', ')})
    on conflict (${keys.join(', ')}) do ${action}`;
  return { columns, sql };
}

function nameOf({ name, fieldNames }: EntityProperty): string {
  const [column, ...more] = fieldNames;
  if (column === undefined || more.length > 0) throw new Error(`${name} does not stand in one column`);
  return `"${column}"`;
}

function columnOf(property: EntityProperty): Column {
  const type = property.columnTypes[0]!.replace(/\(.*\)/, '');
  return { property: property.name, type, textOf: type === 'jsonb' ? jsonText : plainText };
}

/** JSON holds no control characters, so that JSON's own quotation of a string is an array's too. */
const jsonText = (value: unknown): string => JSON.stringify(JSON.stringify(value));

function plainText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quotedItem(value);
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value instanceof Date) return `"${value.toISOString()}"`;
      throw new Error(`a column cannot hold ${JSON.stringify(value)}`);
  }
}

/** Within quotes, nothing but these has a meaning. */
const needsEscape = /["\\]/;

const quotedItem = (text: string): string =>
  needsEscape.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;

/** PostgreSQL's notation of an array, which the driver's own conversion takes several times as long to write. */
function arrayOf(rows: readonly Readonly<Record<string, unknown>>[], { property, textOf }: Column): string {
  let text = '{';
  for (const row of rows) {
    const value = row[property];
    if (text.length > 1) text += ',';
    text += value === null || value === undefined ? 'NULL' : textOf(value);
  }
  return `${text}}`;
}
