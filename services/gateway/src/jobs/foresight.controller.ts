import { isId } from '@astro/event-sourcing/ids';
import { firstReservationAtto } from '@astro/matching/cost';
import type { PoolCommand, TickChange } from '@astro/messages/scheduling';
import { findJob } from '@astro/read-models/scheduling/jobs';
import { Body, Controller, HttpCode, Inject, Param, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ContentStore } from '../content/content-store.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import * as schema from './foresight.schema.js';
import { jobPath, jobRequest, type JobRequest } from './jobs.schema.js';
import { PoolQuestions } from './pool-questions.js';
import { sizesOf, submitJobCommand } from './submit-job.js';

/** A pool is rebuilt for the answer; who answers gives up some seconds before. */
const TICK_TIMEOUT_MS = 30_000;

/** What a job would meet in the pool, and why it met what it did. */
@Controller()
export class ForesightController {
  constructor(
    private readonly questions: PoolQuestions,
    private readonly readModels: ReadModels,
    private readonly content: ContentStore,
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
    const sizes = await sizesOf(body, this.content);
    const asked = submitJobCommand(body, request, { poolId: this.config.POOL_ID, sizes });
    const { tenantId, poolId, spec, maxCostAtto } = asked;
    const command: PoolCommand = { type: 'PlanJob', data: { poolId, tenantId, spec, now: new Date() } };
    const plan = await this.questions.ask(command, schema.planAnswer, request);
    const first = firstReservationAtto(spec, BigInt(plan.expectedCostAtto));
    return {
      ...plan,
      maxCostAtto: maxCostAtto.toString(),
      reservedAtto: `${spec.funding?.mode === 'stepwise' ? first : maxCostAtto}`,
    };
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
    await this.assertKnown(jobId, caller);
    const data = { poolId: this.config.POOL_ID, tenantId: caller.id, jobId, taskId, now: new Date() };
    return this.questions.ask({ type: 'ExplainTask', data }, schema.taskExplanation, request);
  }

  @Operation('GET', '/v1/jobs/:id/explain/tick', {
    summary: 'Explain what a recorded tick would have done with one thing changed',
    description: 'The pool as it was before the tick decides it again: once as it was, once with the change.',
    callers: ['tenant'],
    pathParameters: jobPath,
    query: schema.tickQuery,
    answers: { 200: { description: 'Both outcomes', schema: schema.tickExplanation } },
    problems: ['job_not_found', 'job_not_in_pool', 'pool_unavailable', 'command_refused'],
  })
  async explainTick(
    @Param('id') jobId: string,
    @Query() query: z.output<typeof schema.tickQuery>,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof schema.tickExplanation>> {
    await this.assertKnown(jobId, caller);
    const { position = 0, withoutNode, nodeId, nodePrice, maxPricePerSecondAtto: cap, term, weight } = query;
    const change: TickChange = {
      ...(withoutNode !== undefined && { nodeWithdrawn: withoutNode }),
      ...(nodeId !== undefined &&
        nodePrice !== undefined && { nodePrice: { nodeId, pricePerSecondAtto: BigInt(nodePrice) } }),
      ...(cap !== undefined && { maxPricePerSecondAtto: BigInt(cap) }),
      ...(term !== undefined && weight !== undefined && { termWeight: { term, weight } }),
    };
    const data = { poolId: this.config.POOL_ID, tenantId: caller.id, jobId, position, change };
    return this.questions.ask({ type: 'ExplainTick', data }, schema.tickExplanation, request, {
      type: 'scheduling.tick',
      timeoutMs: TICK_TIMEOUT_MS,
    });
  }

  private async assertKnown(jobId: string, caller: Caller): Promise<void> {
    const isKnown = isId('job', jobId) && (await this.readModels.query(em => findJob(em, caller.id, jobId)));
    if (!isKnown) throw new Problem('job_not_found');
  }
}
