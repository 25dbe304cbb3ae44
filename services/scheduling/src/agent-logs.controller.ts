import { LeaseLogs } from '@astro/jetstream/lease-logs';
import { JetStreamContext } from '@astro/jetstream/server';
import { TaskProgress } from '@astro/jetstream/task-progress';
import type { LogsWritten, TaskProgressed } from '@astro/messages/agent';
import { encode } from '@astro/messages/codec';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { LogBounds } from './log-bounds.js';
import type { PoolStore } from './placement.loop.js';
import { holdsLease } from './pool/lookups.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

/** An honest agent's has a message of 200 characters. */
const PROGRESS_BYTES_MAX = 2_048;

/**
 * What programs write is kept by lease, of nodes that have the lease and as long as it is not too much; of how far they
 * say that they are, the last.
 */
@Controller()
export class AgentLogsController {
  readonly #log = logFor('agent-logs');
  readonly #bounds = new LogBounds();
  readonly #progressBounds = new LogBounds();

  constructor(
    private readonly logs: LeaseLogs,
    private readonly progress: TaskProgress,
    @Inject(aggregateToken('pool')) private readonly pools: PoolStore,
    @Inject(schedulingConfigToken) private readonly config: SchedulingConfig,
  ) {}

  @EventPattern<string>('telemetry.*.LogsWritten')
  async written(@Payload() told: LogsWritten, @Ctx() context: JetStreamContext): Promise<void> {
    const nodeId = context.tokens[1]!;
    const { leaseId } = told;
    const { state } = await this.pools.load(this.config.POOL_ID);
    if (!holdsLease(state, nodeId, leaseId))
      return this.#log.warn('a node tells of a lease that it does not have', { nodeId, leaseId });
    const payload = encode('astro.agent.v1.LogsWritten', told);
    const { recordedAt, position } = context;
    if (!this.#bounds.takes(leaseId, payload.length, recordedAt)) return;
    // The time tells apart two streams that both began at position 1.
    await this.logs.append(leaseId, payload, `log-${position}-${recordedAt.getTime()}`);
  }

  @EventPattern<string>('telemetry.*.TaskProgressed')
  async progressed(@Payload() told: TaskProgressed, @Ctx() context: JetStreamContext): Promise<void> {
    const nodeId = context.tokens[1]!;
    const { leaseId } = told;
    const { state } = await this.pools.load(this.config.POOL_ID);
    const lease = state.leases.get(leaseId);
    if (lease?.nodeId !== nodeId) return;
    const payload = encode('astro.agent.v1.TaskProgressed', told);
    if (payload.length > PROGRESS_BYTES_MAX) return;
    if (!this.#progressBounds.takes(leaseId, payload.length, context.recordedAt)) return;
    const { jobId, taskId } = lease;
    await this.progress.put({ jobId, taskId, leaseId }, payload);
  }
}
