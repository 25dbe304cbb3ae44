import { isId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { EventStore } from '@astro/jetstream/event-store';
import { TaskProgress } from '@astro/jetstream/task-progress';
import type { JobEvent } from '@astro/messages/scheduling';
import { findJob } from '@astro/read-models/scheduling/jobs';
import {
  Controller,
  Inject,
  Param,
  Query,
  Req,
  Res,
  StreamableFile,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { OpenStreams } from '../http/open-streams.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { eventStream } from './job-events.js';
import { positionIn } from './position.js';
import { eventsQuery, jobPath } from './jobs.schema.js';
import { ProgressFeed } from './task-progress.js';

@Controller()
export class JobEventsController implements OnModuleDestroy {
  private readonly streams: OpenStreams;

  constructor(
    private readonly events: EventStore,
    private readonly progress: TaskProgress,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {
    this.streams = new OpenStreams(config.EVENT_STREAMS_MAX);
  }

  @Operation('GET', '/v1/jobs/:id/events', {
    summary: 'Follow a job',
    description:
      'Server-sent events: `id` is the position, `event` the name, `data` JSON. Ends after the terminal ' +
      'event; resumes after `Last-Event-ID` or `after`. Between them `TaskProgressed`, with a `taskId` and a ' +
      'TaskProgress and without an `id`, tells how far a task is now.',
    callers: ['tenant'],
    pathParameters: jobPath,
    query: eventsQuery,
    headers: { 'Last-Event-ID': z.string().optional().meta({ example: '42' }) },
    answers: { 200: { description: 'The events', contentType: 'text/event-stream' } },
    problems: ['job_not_found', 'too_many_streams'],
  })
  async follow(
    @Param('id') jobId: string,
    @Query() query: z.output<typeof eventsQuery>,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const lastEventId = request.headers['last-event-id'];
    const after = positionIn('after', query.after) ?? positionIn('Last-Event-ID', lastEventId) ?? 0;
    const job: AggregateRef = { type: 'scheduling.job', id: jobId };
    if (!isId('job', jobId) || !(await this.isOwn(job, caller))) throw new Problem('job_not_found');
    const { EVENT_HEARTBEAT_MS: heartbeatMs } = this.config;
    return this.streams.answer(reply, signal => {
      const progress = new ProgressFeed(this.progress, jobId, signal);
      return eventStream(this.events.follow(job, { afterPosition: 0, signal }), {
        after,
        heartbeatMs,
        progress,
      });
    });
  }

  onModuleDestroy(): void {
    this.streams.close();
  }

  /** A job that was submitted a moment ago may not be projected yet; its first event tells whose it is. */
  private async isOwn(job: AggregateRef, caller: Caller): Promise<boolean> {
    if (await this.readModels.query(em => findJob(em, caller.id, job.id))) return true;
    const [first] = await this.events.load(job);
    const submitted = first?.event as JobEvent | undefined;
    return submitted?.type === 'JobSubmitted' && submitted.data.tenantId === caller.id;
  }
}
