import type { MirrorEvent } from '@astro/messages/chain';
import { insertRows, readRows, updateRows } from '@astro/postgres/rows';
import { defineEntity, type EntityManager, type EntitySchema } from '@mikro-orm/postgresql';

/** How far a read model has followed the chain. */
export type Head = {
  readonly id: string;
  /** Every block up to this one is in the read model. */
  readonly asOfBlock: number;
  /** What happened up to this block can never be taken back. */
  readonly finalBlock: number;
};

const only = 'head';
const moving = new Set(['asOfBlock', 'finalBlock']);

/** @param model the read model's name without its context */
export const headOf = (model: string): EntitySchema<Head> =>
  defineEntity({
    name: `${model}_head`,
    schema: 'chain',
    tableName: `${model}_head`,
    properties: p => ({
      id: p.text().primary(),
      asOfBlock: p.bigint('number'),
      finalBlock: p.bigint('number'),
    }),
  });

/** In the transaction that fills the rest, so that what is read beside it is as of exactly this block. */
export async function moveHead(
  em: EntityManager,
  entity: EntitySchema<Head>,
  events: readonly MirrorEvent[],
): Promise<void> {
  const [before] = await readRows(em, entity, [only]);
  const after = events.reduce(moved, before ?? { id: only, asOfBlock: 0, finalBlock: 0 });
  if (before) await updateRows(em, entity, [after], moving);
  else await insertRows(em, entity, [after], 'fail');
}

function moved(head: Head, { type, data }: MirrorEvent): Head {
  switch (type) {
    case 'BlockIndexed':
      return {
        ...head,
        asOfBlock: data.number,
        finalBlock: data.final ? Math.max(head.finalBlock, data.number) : head.finalBlock,
      };
    case 'BlockReverted':
      return { ...head, asOfBlock: data.number - 1 };
    case 'HeadFollowed':
      return { ...head, asOfBlock: data.number, finalBlock: Math.max(head.finalBlock, data.finalNumber) };
  }
}

/** Where the read model is; undefined before the first block. */
export async function readHead(em: EntityManager, entity: EntitySchema<Head>): Promise<Head | undefined> {
  const [row] = await readRows(em, entity, [only]);
  return row;
}
