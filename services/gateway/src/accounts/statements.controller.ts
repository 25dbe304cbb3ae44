import { tenantAccount } from '@astro/messages/ledger-accounts';
import { accountsOfTenant, balanceOfTenant, tenantBalanceFrom } from '@astro/read-models/billing/balances';
import { balancesAt, entriesOf, type LedgerEntry } from '@astro/read-models/billing/ledger';
import { Controller, Query } from '@nestjs/common';
import type { z } from 'zod';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { Problem } from '../http/problem.js';
import { toPage } from '../http/page.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { balanceInText } from './balance-in-text.js';
import * as schema from './statements.schema.js';

const LEDGER = 'billing.ledger';

@Controller()
export class StatementsController {
  constructor(private readonly readModels: ReadModels) {}

  @Operation('GET', '/v1/balance', {
    summary: 'Read your balance, now or as of a position',
    callers: ['tenant'],
    query: schema.balanceQuery,
    answers: { 200: { description: 'The balance', schema: schema.balance } },
    problems: ['position_not_reached'],
  })
  async balance(
    @Query() { asOf }: z.output<typeof schema.balanceQuery>,
    @FromCaller() { id }: Caller,
  ): Promise<z.infer<typeof schema.balance>> {
    if (asOf === undefined) return balanceInText(await this.readModels.query(em => balanceOfTenant(em, id)));
    if (!(await this.readModels.includes(LEDGER, asOf))) throw new Problem('position_not_reached');
    const held = await this.readModels.query(em => balancesAt(em, accountsOfTenant(id), asOf));
    return { asOf, ...balanceInText(tenantBalanceFrom(held)) };
  }

  @Operation('GET', '/v1/statement', {
    summary: 'List what changed your balance, newest first',
    description:
      'Every entry is a side of an event, whose sides sum to zero, and says what was held after it.',
    callers: ['tenant'],
    query: schema.statementQuery,
    answers: { 200: { description: 'A page', schema: schema.statement } },
    problems: ['cursor_invalid'],
  })
  async statement(
    @Query() { account: kind, limit, cursor }: z.output<typeof schema.statementQuery>,
    @FromCaller() { id }: Caller,
  ): Promise<z.infer<typeof schema.statement>> {
    const account = tenantAccount(id, kind);
    const scope = `statement ${account}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    return toPage(await this.readModels.query(em => entriesOf(em, account, query)), scope, toEntry);
  }
}

const toEntry = ({ jobId, taskId, ...entry }: LedgerEntry) => ({
  position: entry.position,
  eventId: entry.eventId,
  kind: entry.kind,
  ...(jobId !== null && jobId !== undefined && { jobId }),
  ...(taskId !== null && taskId !== undefined && { taskId }),
  amountAtto: entry.amountAtto.toString(),
  balanceAtto: entry.balanceAtto.toString(),
  recordedAt: entry.recordedAt.toISOString(),
});
