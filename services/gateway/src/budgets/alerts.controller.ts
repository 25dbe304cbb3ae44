import { balanceAlertOf, pageOfAlerts, type Alert } from '@astro/read-models/billing/alerts';
import { Body, Controller, HttpCode, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './alerts.schema.js';

@Controller()
export class AlertsController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
  ) {}

  @Operation('GET', '/v1/alerts', {
    summary: 'List what you were told of your budgets and your balance, newest first',
    callers: ['tenant'],
    query: schema.alertsQuery,
    answers: { 200: { description: 'A page', schema: schema.alertPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor }: z.output<typeof schema.alertsQuery>,
    @FromCaller() { id: tenantId }: Caller,
  ): Promise<z.infer<typeof schema.alertPage>> {
    const scope = `alerts ${tenantId}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    return toPage(await this.readModels.query(em => pageOfAlerts(em, tenantId, query)), scope, toAlert);
  }

  @Operation('GET', '/v1/balance/alert', {
    summary: 'Read below which amount you are told of your balance',
    callers: ['tenant'],
    answers: { 200: { description: 'The amount', schema: schema.balanceAlert } },
  })
  async get(@FromCaller() { id }: Caller): Promise<z.infer<typeof schema.balanceAlert>> {
    const amountAtto = await this.readModels.query(em => balanceAlertOf(em, id));
    return amountAtto === undefined ? {} : { amountAtto: amountAtto.toString() };
  }

  @Operation('PUT', '/v1/balance/alert', {
    summary: 'Be told when you can spend less than an amount',
    description: 'Once, until you can spend as much again.',
    callers: ['tenant'],
    body: schema.balanceAlertRequest,
    answers: { 200: { description: 'The amount', schema: schema.balanceAlert } },
    problems: ['commands_unavailable'],
  })
  async set(
    @Body() { amountAtto }: schema.BalanceAlertRequest,
    @FromCaller() { id }: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.balanceAlert>> {
    await this.#tellBelow(id, BigInt(amountAtto), request);
    return { amountAtto };
  }

  @HttpCode(204)
  @Operation('DELETE', '/v1/balance/alert', {
    summary: 'Be told nothing of your balance',
    callers: ['tenant'],
    answers: { 204: { description: 'Nothing is told from now on' } },
    problems: ['commands_unavailable'],
  })
  async remove(@FromCaller() { id }: Caller, @Req() request: FastifyRequest): Promise<void> {
    await this.#tellBelow(id, undefined, request);
  }

  async #tellBelow(tenantId: string, amountAtto: bigint | undefined, request: FastifyRequest): Promise<void> {
    const to = { type: 'billing.account', id: tenantId } as const;
    const data = { tenantId, ...(amountAtto !== undefined && { amountAtto }) };
    const position = await this.commands.execute({ to, type: 'SetLowBalanceAlert', data }, request);
    await this.readModels.includes('billing.alerts', position);
  }
}

function toAlert(alert: Alert): z.infer<typeof schema.alertPage>['items'][number] {
  const { eventId: id, kind, recordedAt } = alert;
  const told = { id, kind, toldAt: recordedAt.toISOString(), amountAtto: alert.amountAtto.toString() };
  if (kind === 'balance_low') return { ...told, spendableAtto: alert.spendableAtto.toString() };
  const { budgetId, threshold, periodStart, period } = alert;
  return {
    ...told,
    budgetId: budgetId ?? '',
    threshold: threshold ?? 0,
    spentAtto: alert.spentAtto.toString(),
    committedAtto: alert.committedAtto.toString(),
    ...(period !== 'none' && periodStart && { periodStart: periodStart.toISOString() }),
  };
}
