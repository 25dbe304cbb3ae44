import type { EntityProperty, EntitySchema } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';

/** How one property of an entity stands in its table. */
export type Column = {
  readonly property: string;
  /** Quoted. */
  readonly name: string;
  /** Without its precision: `numeric`, `timestamptz`. */
  readonly type: string;
  readonly isKey: boolean;
  /** What a statement selects so that `valueOf` can read it. */
  readonly selected: string;
  /** The property's value, of what the driver gives for `selected`; never asked about NULL. */
  valueOf(stored: unknown): unknown;
};

const known = new WeakMap<object, readonly Column[]>();

export function columnsOf<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
): readonly Column[] {
  const before = known.get(entity);
  if (before !== undefined) return before;
  const columns = em.getMetadata(entity).props.map(property => columnOf(em, property));
  known.set(entity, columns);
  return columns;
}

function columnOf(em: EntityManager, property: EntityProperty): Column {
  const { fieldNames, columnTypes, primary, customType } = property;
  const [field, ...more] = fieldNames;
  if (field === undefined || more.length > 0)
    throw new Error(`${property.name} does not stand in one column`);
  const [name, type] = [`"${field}"`, columnTypes[0]!.replace(/\(.*\)/, '')];
  const column = { property: property.name, name, type, isKey: primary === true };
  switch (type) {
    case 'jsonb':
      return { ...column, selected: `${name}::text`, valueOf: text => JSON.parse(text as string) as unknown };
    case 'timestamptz':
      return {
        ...column,
        selected: `(extract(epoch from ${name}) * 1000)::float8`,
        valueOf: ms => new Date(Number(ms)),
      };
  }
  const platform = em.getPlatform();
  const valueOf = (stored: unknown): unknown =>
    customType ? customType.convertToJSValue(stored, platform) : stored;
  return { ...column, selected: name, valueOf };
}
