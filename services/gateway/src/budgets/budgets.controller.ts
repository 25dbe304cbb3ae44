import type { Budget } from '@astro/messages/billing';
import { budgetsOf, findBudget } from '@astro/read-models/billing/budgets';
import { findApiKeyOfTenant } from '@astro/read-models/registry/api-keys';
import { Body, Controller, HttpCode, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { invalidField, Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { toResource } from './budget-resource.js';
import * as schema from './budgets.schema.js';

@Controller()
export class BudgetsController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
  ) {}

  @Operation('PUT', '/v1/budgets/:id', {
    summary: 'Set a budget',
    description:
      'It counts what is charged from now on, and what open jobs hold. Of a budget that there is, all but the scope ' +
      'and the period can be changed; another amount has its thresholds told anew.',
    callers: ['tenant'],
    pathParameters: schema.budgetPath,
    body: schema.budgetRequest,
    answers: { 200: { description: 'The budget as it is now', schema: schema.budget } },
    problems: ['budget_conflict', 'command_refused', 'commands_unavailable'],
  })
  async set(
    @Param('id') budgetId: string,
    @Body() { scope, amountAtto, ...settings }: schema.BudgetRequest,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<schema.BudgetResource> {
    const counted = await this.#counted(scope, caller);
    const budget: Budget = { budgetId, ...counted, amountAtto: BigInt(amountAtto), ...settings };
    const to = { type: 'billing.account', id: caller.id } as const;
    const data = { tenantId: caller.id, budget };
    const position = await this.commands.execute({ to, type: 'SetBudget', data }, request);
    const isShown = await this.readModels.includes('billing.budgets', position);
    if (!isShown) throw new Problem('reads_unavailable', { headers: { 'retry-after': '2' } });
    return this.get(budgetId, caller);
  }

  @Operation('GET', '/v1/budgets', {
    summary: 'List your budgets, and where they stand',
    callers: ['tenant'],
    answers: { 200: { description: 'All of them', schema: schema.budgetList } },
  })
  async list(@FromCaller() { id }: Caller): Promise<z.infer<typeof schema.budgetList>> {
    const budgets = await this.readModels.query(em => budgetsOf(em, id));
    const now = new Date();
    return { items: budgets.map(budget => toResource(budget, now)) };
  }

  @Operation('GET', '/v1/budgets/:id', {
    summary: 'Read a budget, and where it stands',
    callers: ['tenant'],
    pathParameters: schema.budgetPath,
    answers: { 200: { description: 'The budget', schema: schema.budget } },
    problems: ['budget_not_found'],
  })
  async get(@Param('id') budgetId: string, @FromCaller() { id }: Caller): Promise<schema.BudgetResource> {
    const budget = await this.readModels.query(em => findBudget(em, id, budgetId));
    if (!budget) throw new Problem('budget_not_found');
    return toResource(budget, new Date());
  }

  @HttpCode(204)
  @Operation('DELETE', '/v1/budgets/:id', {
    summary: 'Remove a budget',
    callers: ['tenant'],
    pathParameters: schema.budgetPath,
    answers: { 204: { description: 'Removed' } },
    problems: ['budget_not_found', 'commands_unavailable'],
  })
  async remove(
    @Param('id') budgetId: string,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const to = { type: 'billing.account', id: tenantId } as const;
    const data = { tenantId, budgetId };
    const position = await this.commands.execute({ to, type: 'RemoveBudget', data }, request);
    await this.readModels.includes('billing.budgets', position);
  }

  async #counted(
    scope: schema.BudgetRequest['scope'],
    caller: Caller,
  ): Promise<Pick<Budget, 'project' | 'apiKeyId'>> {
    if (scope.kind === 'tenant') return {};
    if (scope.kind === 'project') return { project: scope.project };
    const keyId = scope.apiKeyId ?? caller.apiKeyId ?? '';
    const key = await this.readModels.query(em => findApiKeyOfTenant(em, caller.id, keyId));
    if (!key) throw invalidField('scope.apiKeyId', 'must be the id of a key of yours');
    return { apiKeyId: keyId };
  }
}
