import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, Posting, TaskCharged } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
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
    tasksCharged: p.integer(),
    firstChargedAt: p.datetime(),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type JobUsage = InferEntity<typeof JobUsage>;

export const usage: Projection<AccountEvent, EntityManager> = {
  name: 'billing.usage',
  reads: ['billing.account'],
  async apply(em, { event: { type, data }, recordedAt, position }) {
    switch (type) {
      case 'TaskCharged':
        return add(em, data, { recordedAt, position });
    }
  },
};

const add = (
  em: EntityManager,
  { jobId, tenantId, meteredMs, postings }: TaskCharged,
  { recordedAt, position }: { recordedAt: Date; position: number },
) =>
  em.execute(
    `insert into "billing"."usage" as u ("job_id", "tenant_id", "charged_atto", "fee_atto", "burned_atto",
       "metered_ms", "tasks_charged", "first_charged_at", "position")
     values (?, ?, ?, ?, ?, ?, 1, ?, ?)
     on conflict ("job_id") do update
     set "charged_atto" = u."charged_atto" + excluded."charged_atto",
         "fee_atto" = u."fee_atto" + excluded."fee_atto",
         "burned_atto" = u."burned_atto" + excluded."burned_atto",
         "metered_ms" = u."metered_ms" + excluded."metered_ms",
         "tasks_charged" = u."tasks_charged" + 1,
         "position" = excluded."position"
     where u."position" < excluded."position"`,
    [
      jobId,
      tenantId,
      (-sumOf(postings, `tenant:${tenantId}:reserved`)).toString(),
      (sumOf(postings, 'platform:fees') + sumOf(postings, 'platform:burned')).toString(),
      sumOf(postings, 'platform:burned').toString(),
      meteredMs,
      recordedAt,
      position,
    ],
  );

const sumOf = (postings: readonly Posting[], account: string): bigint =>
  postings.reduce((sum, posting) => (posting.account === account ? sum + posting.amountAtto : sum), 0n);

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
