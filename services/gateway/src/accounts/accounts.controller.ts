import { balanceOfTenant, earningsOfOperator } from '@astro/read-models/billing/balances';
import { findStorageUsage, type StorageUsage } from '@astro/read-models/billing/storage';
import { pageOfUsage, type JobUsage } from '@astro/read-models/billing/usage';
import { affiliationsOf } from '@astro/read-models/registry/affiliations';
import { findOperator } from '@astro/read-models/registry/operators';
import { findTenant } from '@astro/read-models/registry/tenants';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Controller, Query } from '@nestjs/common';
import type { z } from 'zod';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { affiliationKind } from '../http/fields.js';
import * as schema from './accounts.schema.js';
import { balanceInText } from './balance-in-text.js';

@Controller()
export class AccountsController {
  constructor(private readonly readModels: ReadModels) {}

  @Operation('GET', '/v1/account', {
    summary: 'Read what the owner of the key holds',
    callers: ['tenant', 'operator'],
    answers: { 200: { description: 'The account', schema: schema.account } },
  })
  get(@FromCaller() { kind, id }: Caller): Promise<z.infer<typeof schema.account>> {
    return this.readModels.query(em => (kind === 'tenant' ? ofTenant(em, id) : ofOperator(em, id)));
  }

  @Operation('GET', '/v1/usage', {
    summary: 'List charged jobs, newest first, and what is kept',
    callers: ['tenant'],
    query: schema.usageQuery,
    answers: { 200: { description: 'A page', schema: schema.usagePage } },
    problems: ['cursor_invalid'],
  })
  async usage(
    @Query() { limit, cursor }: z.output<typeof schema.usageQuery>,
    @FromCaller() { id: tenantId }: Caller,
  ): Promise<z.infer<typeof schema.usagePage>> {
    const scope = `usage ${tenantId}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    const [page, kept] = await this.readModels.query(async em => [
      await pageOfUsage(em, tenantId, query),
      await findStorageUsage(em, tenantId),
    ]);
    return { ...toPage(page, scope, toUsage), storage: toStorage(kept) };
  }
}

async function ofTenant(em: EntityManager, id: string): Promise<z.infer<typeof schema.account>> {
  const tenant = await findTenant(em, id);
  const held = await balanceOfTenant(em, id);
  return {
    owner: 'tenant',
    id,
    ...(tenant && { name: tenant.name }),
    ...balanceInText(held),
  };
}

async function ofOperator(em: EntityManager, id: string): Promise<z.infer<typeof schema.account>> {
  const operator = await findOperator(em, id);
  const earnedAtto = (await earningsOfOperator(em, id)).toString();
  const affiliations = (await affiliationsOf(em, id)).map(({ kind, seenAt, others }) => ({
    kind: affiliationKind.parse(kind),
    seenAt: seenAt.toISOString(),
    others,
  }));
  return { owner: 'operator', id, ...(operator && { name: operator.name }), earnedAtto, affiliations };
}

const toUsage = (row: JobUsage) => ({
  jobId: row.jobId,
  chargedAtto: row.chargedAtto.toString(),
  feeAtto: row.feeAtto.toString(),
  burnedAtto: row.burnedAtto.toString(),
  meteredMs: row.meteredMs,
  transferredBytes: row.transferredBytes.toString(),
  transferAtto: row.transferAtto.toString(),
  tasksCharged: row.tasksCharged,
  firstChargedAt: row.firstChargedAt.toISOString(),
});

const toStorage = (row: StorageUsage | null) => ({
  contents: row?.contents ?? 0,
  bytes: `${row?.bytes ?? 0n}`,
  gibHoursAtto: `${row?.gibHoursAtto ?? 0n}`,
  ...(row?.meteredThrough && { meteredThrough: row.meteredThrough.toISOString() }),
  chargedAtto: `${row?.chargedAtto ?? 0n}`,
  dueAtto: `${row?.dueAtto ?? 0n}`,
});
