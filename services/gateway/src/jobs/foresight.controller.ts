import { isId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { PoolCommand } from '@astro/messages/scheduling';
import { findJob } from '@astro/read-models/scheduling/jobs';
import { Body, Controller, HttpCode, Inject, Param, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import * as schema from './foresight.schema.js';
import { jobPath, jobRequest, type JobRequest } from './jobs.schema.js';
import { submitJobCommand } from './submit-job.js';

/** Questions to the pool, which answers them from what it knows now and records nothing. */
@Controller()
export class ForesightController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @HttpCode(200)
  @Operation('POST', '/v1/jobs/plan', {
    summary: 'Plan a job without submitting it',
    description: 'Where it would run now, at what price, and when it is expected to start.',
    callers: ['tenant'],
    body: jobRequest,
    answers: { 200: { description: 'The plan', schema: schema.jobPlan } },
    problems: ['pool_unavailable', 'command_refused'],
  })
  async plan(
    @Body() body: JobRequest,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.jobPlan>> {
    const { tenantId, poolId, spec, maxCostAtto } = submitJobCommand(body, request, this.config.POOL_ID);
    const command: PoolCommand = { type: 'PlanJob', data: { poolId, tenantId, spec, now: new Date() } };
    const plan = await this.ask(command, schema.planAnswer, request);
    return { ...plan, maxCostAtto: maxCostAtto.toString() };
  }

  @Operation('GET', '/v1/jobs/:id/explain', {
    summary: 'Explain where a task runs, or why it waits',
    description: 'What speaks for and against each node, and which single change would have won.',
    callers: ['tenant'],
    pathParameters: jobPath,
    query: schema.explainQuery,
    answers: { 200: { description: 'The explanation', schema: schema.taskExplanation } },
    problems: ['job_not_found', 'job_not_in_pool', 'task_not_found', 'pool_unavailable', 'command_refused'],
  })
  async explain(
    @Param('id') jobId: string,
    @Query() { task: taskId = '' }: z.output<typeof schema.explainQuery>,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.taskExplanation>> {
    const isKnown = isId('job', jobId) && (await this.readModels.query(em => findJob(em, caller.id, jobId)));
    if (!isKnown) throw new Problem('job_not_found');
    const data = { poolId: this.config.POOL_ID, tenantId: caller.id, jobId, taskId, now: new Date() };
    return this.ask({ type: 'ExplainTask', data }, schema.taskExplanation, request);
  }

  /** @throws Problem `pool_unavailable` when nobody answers in time */
  private async ask<Answer extends z.ZodType>(
    command: PoolCommand,
    answer: Answer,
    request: FastifyRequest,
  ): Promise<z.output<Answer>> {
    const directed: Directed<PoolCommand> = {
      to: { type: 'scheduling.pool', id: this.config.POOL_ID },
      ...command,
    };
    const outcome = await this.commands.request(directed, request);
    if (outcome === undefined) throw new Problem('pool_unavailable', { headers: { 'retry-after': '2' } });
    if (outcome.rejection === 'JobNotFound') throw new Problem('job_not_in_pool');
    assertAccepted(outcome);
    return answer.parse(JSON.parse(outcome.answer ?? 'null'));
  }
}
