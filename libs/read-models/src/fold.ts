import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { keyOf, readRows, writeRows } from '@astro/postgres/rows';
import type { EntityManager, EntitySchema, RequiredEntityData } from '@mikro-orm/postgresql';

/** How each event changes the rows whose keys it names, every row by itself. */
export type Fold<Event extends Message, Row extends object> = {
  /** Keys of the rows that the event may make or change, none twice. */
  keysOf(event: Event): readonly string[];
  /**
   * The row after the event: the same object when the event does not change it, a new one when it does.
   * @param key the row's, the event's `index`th
   */
  evolve(row: Row | undefined, recorded: Recorded<Event>, key: string, index: number): Row | undefined;
  /** Events that change rows which they do not name: each ends the batch before it and is applied in SQL. */
  readonly sweep?: {
    readonly type: Event['type'];
    apply(em: EntityManager, recorded: Recorded<Event>): Promise<unknown>;
  };
};

/**
 * Applies a batch to a table in one read and one write: the rows that the batch names are read, carried through its
 * events in memory, and those that changed are written. One event is a batch of one.
 */
export function folding<Event extends Message, Row extends object>(
  entity: EntitySchema<Row>,
  fold: Fold<Event, Row>,
): Required<Pick<Projection<Event, EntityManager>, 'apply' | 'applyBatch'>> {
  const applyBatch = async (em: EntityManager, batch: readonly Recorded<Event>[]): Promise<void> => {
    let from = 0;
    for (const [index, recorded] of batch.entries()) {
      if (recorded.event.type !== fold.sweep?.type) continue;
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
  const keysOfEach = batch.map(({ event }) => fold.keysOf(event));
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
  const changed = [...after].flatMap(([key, row]) => (row === before.get(key) ? [] : [row]));
  await writeRows(em, entity, changed as RequiredEntityData<Row>[], 'replace');
}
