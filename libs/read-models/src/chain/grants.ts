import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { pageAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import type { PageQuery } from '../page.js';

/** What the treasury has promised, and what it has paid. */
export const Grant = defineEntity({
  name: 'Grant',
  schema: 'chain',
  tableName: 'grants',
  properties: p => ({
    grantId: p.text().primary(),
    grantee: p.text(),
    purpose: p.text(),
    amountAtto: p.type(Atto),
    paidAtto: p.type(Atto),
    clawedBackAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Grant = InferEntity<typeof Grant>;
export const GrantUndo = undoOf('grants');

/** The parts of a grant, each paid when it is approved. */
export const GrantMilestone = defineEntity({
  name: 'GrantMilestone',
  schema: 'chain',
  tableName: 'grant_milestones',
  properties: p => ({
    /** `<grant>/<place in it>` */
    id: p.text().primary(),
    grantId: p.text(),
    amountAtto: p.type(Atto),
    status: p.text().$type<'pending' | 'delivered' | 'approved' | 'paid'>(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type GrantMilestone = InferEntity<typeof GrantMilestone>;
export const GrantMilestoneUndo = undoOf('grant_milestones');

const grantTable: MirroredTable<Grant> = {
  entity: Grant,
  undo: GrantUndo,
  keysOf: fact => (/^grants\.(Granted|Paid|ClawedBack)$/.test(fact.name) ? [`${fact.amount('id')}`] : []),
  evolve(row, fact, grantId) {
    if (fact.name === 'grants.Granted') {
      const amountAtto = fact.amounts('amounts').reduce((sum, amount) => sum + amount, 0n);
      const about = { grantId, grantee: fact.address('grantee'), purpose: fact.bytes32('purpose') };
      return { ...about, amountAtto, paidAtto: 0n, clawedBackAtto: 0n };
    }
    if (row === undefined) return undefined;
    const amount = fact.amount('amount');
    return fact.name === 'grants.Paid'
      ? { ...row, paidAtto: row.paidAtto + amount }
      : { ...row, clawedBackAtto: row.clawedBackAtto + amount };
  },
};

const statuses: Readonly<Record<string, GrantMilestone['status']>> = {
  'grants.Delivered': 'delivered',
  'grants.Approved': 'approved',
  'grants.Rejected': 'pending',
  'grants.Paid': 'paid',
};

const milestones: MirroredTable<GrantMilestone> = {
  entity: GrantMilestone,
  undo: GrantMilestoneUndo,
  keysOf(fact) {
    if (fact.name === 'grants.Granted')
      return fact.amounts('amounts').map((_amount, place) => `${fact.amount('id')}/${place}`);
    return fact.name in statuses ? [`${fact.amount('id')}/${fact.amount('milestone')}`] : [];
  },
  evolve(row, fact, id) {
    const [grantId = '', place] = id.split('/');
    if (fact.name === 'grants.Granted')
      return { id, grantId, amountAtto: fact.amounts('amounts')[Number(place)]!, status: 'pending' };
    const status = statuses[fact.name];
    return row && status && { ...row, status };
  },
};

export const grants = mirrored('chain.grants', [filling(grantTable), filling(milestones)]);

export type GrantWithMilestones = Grant & { readonly milestones: readonly GrantMilestone[] };

/** In the order of their ids, each with its milestones in theirs. @throws InvalidCursor */
export const pageOfGrants = (em: EntityManager, query: PageQuery) =>
  pageAsOf(em, grants.head, Grant, query, {}, withMilestones);

async function withMilestones(
  em: EntityManager,
  rows: readonly Grant[],
): Promise<readonly GrantWithMilestones[]> {
  // The contract allows 50 for each grant.
  const found = await em.find(GrantMilestone, { grantId: { $in: rows.map(({ grantId }) => grantId) } });
  const placeOf = ({ id }: GrantMilestone) => Number(id.slice(id.indexOf('/') + 1));
  return rows.map(grant => {
    const own = found.filter(({ grantId }) => grantId === grant.grantId);
    const milestones = own.toSorted((left, right) => placeOf(left) - placeOf(right));
    return { ...grant, isFinal: grant.isFinal && own.every(({ isFinal }) => isFinal), milestones };
  });
}
