import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { Fact } from '@astro/chain/logs/fact';
import type { BlockIndexed, MirrorEvent } from '@astro/messages/chain';
import { columnsOf } from '@astro/postgres/columns';
import { insertRows, keyOf, readRows, updateRows } from '@astro/postgres/rows';
import { tableOf } from '@astro/postgres/stage';
import {
  defineEntity,
  type EntityManager,
  type EntitySchema,
  type RequiredEntityData,
} from '@mikro-orm/postgresql';
import { setImmediate as turn } from 'node:timers/promises';
import { headOf, moveHead, type Head } from './head.js';

/** What every row of the chain says of itself. */
export type Mirrored = {
  /** Number of the block that changed it last. */
  readonly asOfBlock: number;
  /** Whether no reorganisation can take that block back any more. */
  readonly isFinal: boolean;
};

/** Where a fact stands on the chain. */
export type Place = { readonly block: number; readonly index: number; readonly time: Date };

/** How the facts of a block change the rows of one table, whose one key is a text. */
export type MirroredTable<Row extends Mirrored> = {
  readonly entity: EntitySchema<Row>;
  /**
   * What the rows were before blocks that are not final yet; made by `undoOf`. Without it a row is made by one fact and
   * never changed by another, so that whatever a block made goes with it.
   */
  readonly undo?: EntitySchema<Undo>;
  /** Keys of the rows that the fact makes or changes, none twice; none for a fact that is not of this table. */
  keysOf(fact: Fact, place: Place): readonly string[];
  /** Undefined: the fact changes nothing. */
  evolve(row: Row | undefined, fact: Fact, key: string, place: Place): Omit<Row, keyof Mirrored> | undefined;
};

export type Undo = {
  readonly block: number;
  readonly key: string;
  /** The row in JSON by its columns' names; null where there was none. */
  readonly before: string | null;
};

export const undoOf = (table: string): EntitySchema<Undo> =>
  defineEntity({
    name: `${table}_undo`,
    schema: 'chain',
    tableName: `${table}_undo`,
    properties: p => ({
      block: p.bigint('number').primary(),
      key: p.text().primary(),
      before: p.text().nullable(),
    }),
  }) as EntitySchema<Undo>;

/** A table of which only its names and its filling are known, so that several unlike ones make one read model. */
export type Filling = {
  readonly tables: readonly string[];
  /** Whether the fact makes or changes a row. */
  concerns(fact: Fact, place: Place): boolean;
  apply(em: EntityManager, run: Run): Promise<void>;
};

/** A block with the facts that its logs are, as far as the model is about them. */
type Told = {
  readonly block: BlockIndexed;
  readonly facts: readonly { readonly fact: Fact; readonly place: Place }[];
};

/** Events of one type that are side by side in the record, read once for all tables of a model. */
type Run = {
  readonly told: readonly Told[];
  /** What goes is whatever came from this block on. */
  readonly reverted?: { readonly first: number; readonly finalNumber: number };
  readonly finalNumber?: number;
};

/**
 * Events of one transaction. One of them may hold 4 MiB, and as many again wait behind them; and while one batch of
 * this size is written, blocks of the next are read.
 */
const maxBatch = 48;

/** What finds the rows that become final or are taken back; most are final for good, and cost it nothing. */
const notYetFinal = { properties: 'asOfBlock', where: 'NOT is_final' } as const;

/** Gives the table's entity its index by block. */
export function filling<Row extends Mirrored>(table: MirroredTable<Row>): Filling {
  table.entity.meta.indexes.push(notYetFinal as Index<Row>);
  return {
    tables: [table.entity, ...(table.undo ? [table.undo] : [])].map(({ meta }) => meta.tableName),
    concerns: (fact, place) => table.keysOf(fact, place).length > 0,
    apply: (em, run) => applyRun(em, table, run),
  };
}

type Index<Row> = EntitySchema<Row>['meta']['indexes'][number];

export type MirroredModel = Projection<MirrorEvent, EntityManager> &
  Pick<Filling, 'concerns'> & {
    /** How far the chain is in it. */
    readonly head: EntitySchema<Head>;
  };

/**
 * A read model of the chain. A block that is taken back takes its changes with it: of every row that a block changes
 * before it is final, the row as it was before is kept until then.
 */
export function mirrored(name: `chain.${string}`, fillings: readonly Filling[], version = 1): MirroredModel {
  const head = headOf(name.slice('chain.'.length));
  const concerns = (fact: Fact, place: Place) => fillings.some(table => table.concerns(fact, place));
  /** Of blocks that wait: what is made of them when they arrive is not made while the database waits for it. */
  const prepared = new WeakMap<BlockIndexed, Told>();
  const toldOf = (block: BlockIndexed): Told => prepared.get(block) ?? toldBy(block, concerns);
  const applyBatch = async (em: EntityManager, batch: readonly Recorded<MirrorEvent>[]): Promise<void> => {
    for (let from = 0; from < batch.length;) {
      const { type } = batch[from]!.event;
      let to = from;
      while (to < batch.length && batch[to]!.event.type === type) to += 1;
      const run = runOf(
        batch.slice(from, to).map(({ event }) => event),
        toldOf,
      );
      await allOf(fillings.map(table => table.apply(em, run)));
      from = to;
    }
    const events = batch.map(({ event }) => event);
    await moveHead(em, head, events);
  };
  return {
    name,
    head,
    version,
    maxBatch,
    tables: [head.meta.tableName, ...fillings.flatMap(({ tables }) => tables)],
    reads: ['chain.mirror'],
    concerns,
    prepare({ event: { type, data } }) {
      if (type === 'BlockIndexed') prepared.set(data, toldBy(data, concerns));
    },
    apply: (em, recorded) => applyBatch(em, [recorded]),
    applyBatch,
  };
}

/**
 * What the tables are sent waits for its turn on the one connection: while rows of one are made, those of another are
 * written. None is left behind when one fails, because its statements would follow the end of the transaction.
 */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function runOf(events: readonly MirrorEvent[], toldOf: (block: BlockIndexed) => Told): Run {
  const told = events.flatMap(({ type, data }) => (type === 'BlockIndexed' ? [toldOf(data)] : []));
  const reverted = events.flatMap(({ type, data }) => (type === 'BlockReverted' ? [data] : []));
  const heads = events.flatMap(({ type, data }) => (type === 'HeadFollowed' ? [data.finalNumber] : []));
  return {
    told,
    ...(reverted.length > 0 && {
      reverted: {
        first: Math.min(...reverted.map(({ number }) => number)),
        finalNumber: reverted.at(-1)!.finalNumber,
      },
    }),
    ...(heads.length > 0 && { finalNumber: Math.max(...heads) }),
  };
}

/** The facts of a block that any table of the model is about. */
function toldBy(block: BlockIndexed, concerns: (fact: Fact, place: Place) => boolean): Told {
  const facts: { fact: Fact; place: Place }[] = [];
  for (const log of block.logs) {
    const fact = Fact.of(log);
    const place = { block: block.number, index: log.index, time: block.time };
    if (fact !== undefined && concerns(fact, place)) facts.push({ fact, place });
  }
  return { block, facts };
}

async function applyRun<Row extends Mirrored>(
  em: EntityManager,
  table: MirroredTable<Row>,
  { told, reverted, finalNumber }: Run,
): Promise<void> {
  if (told.length > 0)
    await (table.undo
      ? applyBlocks(em, table, table.undo, told)
      : insertRows(em, table.entity, rowsMadeIn(table, told), 'fail'));
  if (reverted) await takeBack(em, table, reverted.first, reverted.finalNumber);
  if (finalNumber !== undefined) await finalise(em, table, finalNumber);
}

type Step = { readonly fact: Fact; readonly place: Place; readonly keys: readonly string[] };

/** Rows that are made once: none is looked up, and a key that comes again fails as it is inserted. */
function* rowsMadeIn<Row extends Mirrored>(
  { keysOf, evolve }: MirroredTable<Row>,
  told: readonly Told[],
): Generator<RequiredEntityData<Row>> {
  for (const { block, facts } of told) {
    for (const { fact, place } of facts) {
      for (const key of keysOf(fact, place)) {
        const row = evolve(undefined, fact, key, place);
        if (row !== undefined) yield mirroredIn(block, row);
      }
    }
  }
}

const mirroredIn = <Row extends Mirrored>(block: BlockIndexed, row: Omit<Row, keyof Mirrored>): Row =>
  ({ ...row, asOfBlock: block.number, isFinal: block.final }) as unknown as Row;

async function applyBlocks<Row extends Mirrored>(
  em: EntityManager,
  table: MirroredTable<Row>,
  undoEntity: EntitySchema<Undo>,
  told: readonly Told[],
): Promise<void> {
  const stepsOf = told.map(({ block, facts }) => ({ block, steps: stepsIn(table, facts) }));
  const keys = new Set(stepsOf.flatMap(({ steps }) => steps.flatMap(step => step.keys)));
  if (keys.size === 0) return;
  const keyName = keyOf(em, table.entity);
  const before = new Map<string, Row>();
  for (const row of await readRows(em, table.entity, [...keys])) before.set(row[keyName] as string, row);
  const after = new Map(before);
  const undo: Undo[] = [];
  const written = rowWriter(em, table.entity);
  for (const { block, steps } of stepsOf) {
    // Lets the statements of other tables be sent meanwhile.
    await turn();
    const touched = new Set<string>();
    for (const { fact, place, keys: changed } of steps) {
      for (const key of changed) {
        const row = after.get(key);
        const next = table.evolve(row, fact, key, place);
        if (next === undefined) continue;
        if (!block.final && !touched.has(key))
          undo.push({ block: block.number, key, before: row === undefined ? null : written(row) });
        touched.add(key);
        after.set(key, mirroredIn(block, next));
      }
    }
  }
  await write(em, table.entity, before, after);
  if (undo.length > 0) await insertRows(em, undoEntity, undo, 'fail');
}

function stepsIn<Row extends Mirrored>(table: MirroredTable<Row>, facts: Told['facts']): readonly Step[] {
  const steps: Step[] = [];
  for (const { fact, place } of facts) {
    const keys = table.keysOf(fact, place);
    if (keys.length > 0) steps.push({ fact, place, keys });
  }
  return steps;
}

async function write<Row extends Mirrored>(
  em: EntityManager,
  entity: EntitySchema<Row>,
  before: ReadonlyMap<string, Row>,
  after: ReadonlyMap<string, Row>,
): Promise<void> {
  const made = [...after].flatMap(([key, row]) => (before.has(key) ? [] : [row]));
  const changed = [...after].flatMap(([key, row]) =>
    before.has(key) && before.get(key) !== row ? [row] : [],
  );
  if (made.length > 0) await insertRows(em, entity, made as RequiredEntityData<Row>[], 'fail');
  if (changed.length > 0) await updateRows(em, entity, changed, propertiesOf(em, entity));
}

const propertiesOf = <Row extends Mirrored>(
  em: EntityManager,
  entity: EntitySchema<Row>,
): ReadonlySet<string> =>
  new Set(columnsOf(em, entity).flatMap(({ property, isKey }) => (isKey ? [] : [property])));

/** Rows are put back as they were before the first of the blocks. */
async function takeBack<Row extends Mirrored>(
  em: EntityManager,
  table: MirroredTable<Row>,
  first: number,
  finalNumber: number,
): Promise<void> {
  if (table.undo) await putBack(em, table, table.undo, first);
  else
    await em.execute(`delete from ${tableOf(em, table.entity)} where not "is_final" and "as_of_block" >= ?`, [
      first,
    ]);
  // They may have become final since they were written down.
  await finalise(em, table, finalNumber);
}

async function putBack<Row extends Mirrored>(
  em: EntityManager,
  table: MirroredTable<Row>,
  before: EntitySchema<Undo>,
  first: number,
): Promise<void> {
  const [main, undo] = [tableOf(em, table.entity), tableOf(em, before)];
  const key = columnsOf(em, table.entity).find(({ isKey }) => isKey)!.name;
  const oldest = `select distinct on ("key") "key", "before" from ${undo} where "block" >= ? order by "key", "block"`;
  await em.execute(`delete from ${main} where ${key} in (select "key" from (${oldest}) as o)`, [first]);
  await em.execute(
    `insert into ${main} select (jsonb_populate_record(null::${main}, o."before"::jsonb)).* from (${oldest}) as o
      where o."before" is not null`,
    [first],
  );
  await em.execute(`delete from ${undo} where "block" >= ?`, [first]);
}

async function finalise<Row extends Mirrored>(
  em: EntityManager,
  table: MirroredTable<Row>,
  finalNumber: number,
): Promise<void> {
  const main = tableOf(em, table.entity);
  await em.execute(`update ${main} set "is_final" = true where not "is_final" and "as_of_block" <= ?`, [
    finalNumber,
  ]);
  if (table.undo)
    await em.execute(`delete from ${tableOf(em, table.undo)} where "block" <= ?`, [finalNumber]);
}

/** A row as `jsonb_populate_record` reads it. */
function rowWriter<Row extends Mirrored>(em: EntityManager, entity: EntitySchema<Row>): (row: Row) => string {
  const columns = columnsOf(em, entity).map(({ property, name }) => ({ property, name: name.slice(1, -1) }));
  return row => {
    const values = row as unknown as Readonly<Record<string, unknown>>;
    const named = columns.map(({ property, name }) => [name, values[property] ?? null]);
    return JSON.stringify(Object.fromEntries(named), (_name, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
  };
}
