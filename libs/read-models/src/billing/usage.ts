import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, TaskCharged } from '@astro/messages/billing';
import { changeOf, feeIn, platformBurned, tenantAccount } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

/** What each job has cost its tenant, and where the money went. */
export const JobUsage = defineEntity({
  name: 'JobUsage',
  schema: 'billing',
  tableName: 'usage',
  indexes: [{ properties: ['tenantId', 'firstChargedAt', 'jobId'] }],
  properties: p => ({
    jobId: p.text().primary(),
    tenantId: p.text(),
    /** Everything the tenant paid: what operators earned, and the fee. */
    chargedAtto: p.type(Atto),
    feeAtto: p.type(Atto),
    /** The burned share of the fee. */
    burnedAtto: p.type(Atto),
    meteredMs: p.bigint('number'),
    transferredBytes: p.type(Atto),
    /** Part of what was charged. */
    transferAtto: p.type(Atto),
    tasksCharged: p.integer(),
    firstChargedAt: p.datetime(),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type JobUsage = InferEntity<typeof JobUsage>;

export const usage: Projection<AccountEvent, EntityManager> = {
  name: 'billing.usage',
  version: 2,
  tables: ['usage'],
  reads: ['billing.account'],
  ...folding<AccountEvent, JobUsage>(JobUsage, {
    keysOf: ({ type, data }) => (type === 'TaskCharged' ? [data.jobId] : []),
    evolve(used, { event: { type, data }, recordedAt, position }) {
      if (type !== 'TaskCharged' || (used !== undefined && used.position >= position)) return used;
      const { jobId, tenantId, postings } = data;
      const before = used ?? { ...nothingCharged, jobId, tenantId, firstChargedAt: recordedAt };
      const burnedAtto = changeOf(platformBurned, postings);
      return {
        ...before,
        chargedAtto: before.chargedAtto - changeOf(tenantAccount(tenantId, 'reserved'), postings),
        feeAtto: before.feeAtto + feeIn(postings),
        burnedAtto: before.burnedAtto + burnedAtto,
        meteredMs: before.meteredMs + data.meteredMs,
        ...transfersWith(before, data),
        tasksCharged: before.tasksCharged + 1,
        position,
      };
    },
  }),
};

const nothingCharged = {
  ...{ chargedAtto: 0n, feeAtto: 0n, burnedAtto: 0n, meteredMs: 0, tasksCharged: 0 },
  ...{ transferredBytes: 0n, transferAtto: 0n },
};

type Transfers = Pick<JobUsage, 'transferredBytes' | 'transferAtto'>;

const transfersWith = (before: Transfers, { work }: TaskCharged): Transfers => ({
  transferredBytes: work.reduce(
    (sum, lease) => sum + BigInt(lease.transferredBytes ?? 0),
    before.transferredBytes,
  ),
  transferAtto: work.reduce((sum, lease) => sum + (lease.transferAtto ?? 0n), before.transferAtto),
});

export const findUsage = (em: EntityManager, tenantId: string, jobId: string) =>
  em.findOne(JobUsage, { jobId, tenantId });

/** The tenant's charged jobs, newest first. @throws InvalidCursor */
export async function pageOfUsage(
  em: EntityManager,
  tenantId: string,
  query: PageQuery,
): Promise<Page<JobUsage>> {
  const { cursor, limit } = query;
  const rows = await em.find(
    JobUsage,
    { tenantId, ...(cursor === undefined ? {} : before(timeAndIdIn(cursor))) },
    { orderBy: { firstChargedAt: 'desc', jobId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, row => [row.firstChargedAt.toISOString(), row.jobId]);
}

const before = ([firstChargedAt, jobId]: readonly [Date, string]) => ({
  $or: [{ firstChargedAt: { $lt: firstChargedAt } }, { firstChargedAt, jobId: { $lt: jobId } }],
});
