import { isId } from '@astro/event-sourcing/ids';
import { LeaseLogs } from '@astro/jetstream/lease-logs';
import { findJob } from '@astro/read-models/scheduling/jobs';
import { leasesOfTask } from '@astro/read-models/scheduling/leases';
import { findTask } from '@astro/read-models/scheduling/tasks';
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
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import { OpenStreams } from '../http/open-streams.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { positionIn } from './position.js';
import { entryOf, logStream, type TaskRuns } from './task-logs.js';
import { logPage, logsQuery, taskPath, type LogPage } from './task-logs.schema.js';

const EVENT_STREAM = 'text/event-stream';

/** What the program of a task writes: some of it, for a day, and no part of what happened. */
@Controller()
export class TaskLogsController implements OnModuleDestroy {
  private readonly streams: OpenStreams;

  constructor(
    private readonly logs: LeaseLogs,
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {
    this.streams = new OpenStreams(config.EVENT_STREAMS_MAX);
  }

  @Operation('GET', '/v1/jobs/:id/tasks/:taskId/logs', {
    summary: 'Read or follow what the program of a task writes',
    description:
      'Asked for text/event-stream it goes on while the task does: `id` is the position, `data` a LogEntry; it ends ' +
      'a moment after the task, and resumes after `Last-Event-ID`. Kept for a day, within limits.',
    callers: ['tenant'],
    pathParameters: taskPath,
    query: logsQuery,
    headers: { 'Last-Event-ID': z.string().optional().meta({ example: '42' }) },
    answers: { 200: { description: 'A page, or the stream', schema: logPage } },
    problems: ['job_not_found', 'task_not_found', 'cursor_invalid', 'too_many_streams'],
  })
  async read(
    @Param('id') jobId: string,
    @Param('taskId') taskId: string,
    @Query() { limit, cursor }: z.output<typeof logsQuery>,
    @FromCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LogPage | StreamableFile> {
    if (!isId('job', jobId)) throw new Problem('job_not_found');
    const runs = await this.runsOf(caller, jobId, taskId);
    reply.header('vary', 'accept');
    const scope = `logs ${caller.id} ${taskId}`;
    const after = Number(decodeCursor(scope, cursor) ?? 0);
    if (request.headers.accept?.includes(EVENT_STREAM))
      return this.follow(
        positionIn('Last-Event-ID', request.headers['last-event-id']) ?? after,
        () => this.runsOf(caller, jobId, taskId),
        reply,
      );
    const found = await this.logs.read(runs.leaseIds, after, limit);
    const last = found.at(-1);
    const items = found.map(entryOf);
    return last ? { items, nextCursor: encodeCursor(scope, String(last.position)) } : { items };
  }

  onModuleDestroy(): void {
    this.streams.close();
  }

  private follow(after: number, runs: () => Promise<TaskRuns>, reply: FastifyReply): StreamableFile {
    const { EVENT_HEARTBEAT_MS: heartbeatMs } = this.config;
    return this.streams.answer(reply, signal => logStream(this.logs, { after, heartbeatMs, signal, runs }));
  }

  /** A tenant must not learn which jobs of others exist. */
  private async runsOf({ id: tenantId }: Caller, jobId: string, taskId: string): Promise<TaskRuns> {
    const { job, task, leases } = await this.readModels.query(async em => ({
      job: await findJob(em, tenantId, jobId),
      task: await findTask(em, jobId, taskId),
      leases: await leasesOfTask(em, jobId, taskId),
    }));
    if (!job) throw new Problem('job_not_found');
    if (!task) throw new Problem('task_not_found');
    const hasEnded = task.status !== 'waiting' && task.status !== 'running';
    return { leaseIds: leases.map(({ leaseId }) => leaseId), hasEnded };
  }
}
