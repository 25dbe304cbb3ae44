import { Readable } from 'node:stream';
import { isId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { EventStore } from '@astro/jetstream/event-store';
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
import { Problem } from '../http/problem.js';
import { Slots } from '../http/slots.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { eventStream } from './job-events.js';
import { positionIn } from './position.js';
import { eventsQuery, jobPath } from './jobs.schema.js';

@Controller()
export class JobEventsController implements OnModuleDestroy {
  private readonly slots: Slots;
  private readonly open = new Set<AbortController>();

  constructor(
    private readonly events: EventStore,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {
    this.slots = new Slots(config.EVENT_STREAMS_MAX);
  }

  @Operation('GET', '/v1/jobs/:id/events', {
    summary: 'Follow a job',
    description:
      'Server-sent events: `id` is the position, `event` the name, `data` JSON. Ends after the terminal ' +
      'event; resumes after `Last-Event-ID` or `after`.',
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
    const release = this.slots.take();
    if (!release) throw new Problem('too_many_streams', { headers: { 'retry-after': '5' } });
    const stopped = new AbortController();
    this.open.add(stopped);
    const events = this.events.follow(job, { afterPosition: 0, signal: stopped.signal });
    const stream = Readable.from(
      eventStream(events, { after, heartbeatMs: this.config.EVENT_HEARTBEAT_MS }),
      {
        objectMode: false,
      },
    );
    // On its end, on an error of the bus and when the client goes away.
    stream.once('close', () => {
      stopped.abort();
      this.open.delete(stopped);
      release();
    });
    // Proxies such as nginx buffer answers unless they are told not to.
    reply.header('x-accel-buffering', 'no');
    return new StreamableFile(stream, { type: 'text/event-stream; charset=utf-8' });
  }

  /** Streams would keep the server from closing; their clients resume at another one. */
  onModuleDestroy(): void {
    for (const stopped of this.open) stopped.abort();
  }

  /** A job that was submitted a moment ago may not be projected yet; its first event tells whose it is. */
  private async isOwn(job: AggregateRef, caller: Caller): Promise<boolean> {
    if (await this.readModels.query(em => findJob(em, caller.id, job.id))) return true;
    const [first] = await this.events.load(job);
    const submitted = first?.event as JobEvent | undefined;
    return submitted?.type === 'JobSubmitted' && submitted.data.tenantId === caller.id;
  }
}
