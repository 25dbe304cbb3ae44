import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { insertRows, keyOf, readRows, updateRows } from '@astro/postgres/rows';
import type { EntityManager, EntitySchema, RequiredEntityData } from '@mikro-orm/postgresql';

/** How each event changes the rows whose keys it names, every row by itself. */
export type Fold<Event extends Message, Row extends object> = {
  /** Keys of the rows that the event may make or change, none twice. */
  keysOf(event: Event, recordedAt: Date): readonly string[];
  /**
   * The row after the event: the same object when the event does not change it, a new one when it does.
   * @param key the row's, the event's `index`th
   */
  evolve(row: Row | undefined, recorded: Recorded<Event>, key: string, index: number): Row | undefined;
  /** Events that change rows which they do not name: each ends the batch before it and is applied in SQL. */
  readonly sweep?: {
    readonly types: readonly Event['type'][];
    apply(em: EntityManager, recorded: Recorded<Event>): Promise<unknown>;
  };
};

/**
 * Applies a batch to a table in one read, one insert and one update: the rows that the batch names are read, carried
 * through its events in memory, and those that changed are written. One event is a batch of one.
 */
export function folding<Event extends Message, Row extends object>(
  entity: EntitySchema<Row>,
  fold: Fold<Event, Row>,
): Required<Pick<Projection<Event, EntityManager>, 'apply' | 'applyBatch'>> {
  const applyBatch = async (em: EntityManager, batch: readonly Recorded<Event>[]): Promise<void> => {
    let from = 0;
    for (const [index, recorded] of batch.entries()) {
      if (!fold.sweep?.types.includes(recorded.event.type)) continue;
      await applyTogether(em, entity, fold, batch.slice(from, index));
      await fold.sweep.apply(em, recorded);
      from = index + 1;
    }
    await applyTogether(em, entity, fold, from === 0 ? batch : batch.slice(from));
  };
  return { apply: (em, recorded) => applyBatch(em, [recorded]), applyBatch };
}

async function applyTogether<Event extends Message, Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  fold: Fold<Event, Row>,
  batch: readonly Recorded<Event>[],
): Promise<void> {
  const keysOfEach = batch.map(({ event, recordedAt }) => fold.keysOf(event, recordedAt));
  const keys = new Set(keysOfEach.flat());
  if (keys.size === 0) return;
  const keyName = keyOf(em, entity);
  const before = new Map<string, Row>();
  for (const row of await readRows(em, entity, [...keys])) before.set(row[keyName] as string, row);
  const after = new Map(before);
  for (const [index, recorded] of batch.entries()) {
    for (const [keyIndex, key] of keysOfEach[index]!.entries()) {
      const row = fold.evolve(after.get(key), recorded, key, keyIndex);
      if (row !== undefined) after.set(key, row);
    }
  }
  await write(em, entity, before, after);
}

/** Rows that were not there are inserted; of the others, only what changed is written: a large column often stays. */
async function write<Row extends object>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  before: ReadonlyMap<string, Row>,
  after: ReadonlyMap<string, Row>,
): Promise<void> {
  const made: Row[] = [];
  const changed: Row[] = [];
  const properties = new Set<keyof Row & string>();
  for (const [key, row] of after) {
    const old = before.get(key);
    if (old === undefined) made.push(row);
    if (old === undefined || old === row) continue;
    changed.push(row);
    for (const property in row) if (row[property] !== old[property]) properties.add(property);
  }
  if (made.length > 0) await insertRows(em, entity, made as RequiredEntityData<Row>[], 'fail');
  if (properties.size > 0) await updateRows(em, entity, changed, properties);
}
