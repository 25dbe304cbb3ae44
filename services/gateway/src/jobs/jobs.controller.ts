import { isId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import { TaskProgress } from '@astro/jetstream/task-progress';
import type { JobCommand } from '@astro/messages/scheduling';
import { readPosition } from '@astro/postgres/checkpoints';
import { pageOfJobs } from '@astro/read-models/scheduling/jobs';
import { Body, Controller, HttpCode, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { ContentStore } from '../content/content-store.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import { findJobResource, isAheadOfItsTasks, toSummary } from './job-resource.js';
import { scaleRequest, type ScaleRequest } from './service.schema.js';
import * as schema from './jobs.schema.js';
import { withFirstReservation } from './first-reservation.js';
import { PoolQuestions } from './pool-questions.js';
import { assertContentStored, sizesOf, submitJobCommand } from './submit-job.js';
import { withProgress } from './task-progress.js';

/** A job is shown from both, and each is as far as it is. */
const JOB_PROJECTIONS = ['scheduling.jobs', 'scheduling.tasks'] as const;

@Controller()
export class JobsController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    private readonly content: ContentStore,
    private readonly questions: PoolQuestions,
    private readonly progress: TaskProgress,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('POST', '/v1/jobs', {
    summary: 'Submit a job',
    description:
      'The most that it can cost is reserved before anything is placed; of a job that is funded stepwise, the most ' +
      'that what is placed can cost.',
    callers: ['tenant'],
    body: schema.jobRequest,
    answers: {
      201: { description: 'Submitted', schema: schema.jobResource, headers: { Location: schema.location } },
      202: schema.notKnownYet,
    },
    problems: ['content_not_found', 'job_exists', 'command_refused'],
  })
  async submit(
    @Body() body: schema.JobRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<schema.JobResource | schema.Pending> {
    const sizes = await sizesOf(body, this.content);
    assertContentStored(body, sizes);
    const command = submitJobCommand(body, request, { poolId: this.config.POOL_ID, sizes });
    const data = await withFirstReservation(command, this.questions, request);
    reply.status(201).header('location', `/v1/jobs/${data.jobId}`);
    return this.execute({ type: 'SubmitJob', data }, request, reply);
  }

  @HttpCode(200)
  @Operation('POST', '/v1/jobs/:id/cancel', {
    summary: 'Cancel a job',
    description: 'Verified work stays charged; the rest of the reservation comes back.',
    callers: ['tenant'],
    pathParameters: schema.jobPath,
    body: schema.nothing,
    answers: { 200: { description: 'Cancelled', schema: schema.jobResource }, 202: schema.notKnownYet },
    problems: ['job_not_found', 'job_has_ended', 'command_refused'],
  })
  async cancel(
    @Param('id') jobId: string,
    @FromCaller() caller: Caller,
    @Body() _body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<schema.JobResource | schema.Pending> {
    if (!isId('job', jobId)) throw new Problem('job_not_found');
    return this.execute({ type: 'CancelJob', data: { jobId, tenantId: caller.id } }, request, reply);
  }

  @HttpCode(200)
  @Operation('POST', '/v1/jobs/:id/scale', {
    summary: 'Set the bounds of a service',
    description: 'They hold at once; within them the load decides.',
    callers: ['tenant'],
    pathParameters: schema.jobPath,
    body: scaleRequest,
    answers: { 200: { description: 'Scaled', schema: schema.jobResource }, 202: schema.notKnownYet },
    problems: ['job_not_found', 'job_has_ended', 'command_refused'],
  })
  async scale(
    @Param('id') jobId: string,
    @FromCaller() caller: Caller,
    @Body() body: ScaleRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<schema.JobResource | schema.Pending> {
    if (!isId('job', jobId)) throw new Problem('job_not_found');
    return this.execute({ type: 'ScaleJob', data: { jobId, tenantId: caller.id, ...body } }, request, reply);
  }

  @Operation('GET', '/v1/jobs', {
    summary: 'List jobs, newest first',
    callers: ['tenant'],
    query: schema.jobsQuery,
    answers: { 200: { description: 'A page', schema: schema.jobPage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor, status, project }: z.output<typeof schema.jobsQuery>,
    @FromCaller() caller: Caller,
  ): Promise<z.infer<typeof schema.jobPage>> {
    const scope = `jobs ${caller.id} ${status ?? ''} ${project ?? ''}`;
    const query = { limit, status, project, cursor: decodeCursor(scope, cursor) };
    const page = await this.readModels.query(em => pageOfJobs(em, caller.id, query));
    return toPage(page, scope, toSummary);
  }

  @Operation('GET', '/v1/jobs/:id', {
    summary: 'Read a job with its tasks and outputs',
    callers: ['tenant'],
    pathParameters: schema.jobPath,
    answers: { 200: { description: 'The job', schema: schema.jobResource } },
    problems: ['job_not_found'],
  })
  async get(@Param('id') jobId: string, @FromCaller() caller: Caller): Promise<schema.JobResource> {
    const read = () => this.readModels.query(em => findJobResource(em, caller.id, jobId));
    let found = await read();
    if (found && isAheadOfItsTasks(found)) {
      const [jobs, tasks] = JOB_PROJECTIONS;
      const position = await this.readModels.query(em => readPosition(em, jobs));
      await this.readModels.includes(tasks, position);
      found = await read();
    }
    if (!found) throw new Problem('job_not_found');
    return withProgress(this.progress, found);
  }

  /** Sends the command and answers with the job as it then is, or with 202 when that is not known in time. */
  private async execute(
    command: Extract<JobCommand, { type: 'SubmitJob' | 'CancelJob' | 'ScaleJob' }>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<schema.JobResource | schema.Pending> {
    const { jobId, tenantId } = command.data;
    const directed: Directed<JobCommand> = { to: { type: 'scheduling.job', id: jobId }, ...command };
    const outcome = await this.commands.request(directed, request);
    if (outcome) {
      assertAccepted(outcome);
      const { position } = outcome;
      await Promise.all(JOB_PROJECTIONS.map(name => this.readModels.includes(name, position)));
      const found = await this.readModels.query(em => findJobResource(em, tenantId, jobId));
      if (found) return found;
    }
    reply.status(202).header('location', `/v1/jobs/${jobId}`);
    return { id: jobId };
  }
}
