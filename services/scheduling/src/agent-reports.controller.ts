import { derivedId } from '@astro/event-sourcing/ids';
import { JetStreamContext } from '@astro/jetstream/server';
import type { NodeReport } from '@astro/messages/agent';
import type { PoolCommand } from '@astro/messages/scheduling';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  checkpointOf,
  completionOf,
  failureOf,
  healthOf,
  holdingsOf,
  renewalOf,
  startOf,
  type ReportOrigin,
} from './agent-reports.commands.js';
import { DesiredStatePublisher } from './desired-state.publisher.js';
import type { PoolStore } from './placement.loop.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

/**
 * What agents report becomes commands to the pool. They go to the pool's store directly, which is in this
 * process: a report is durable already, and is delivered again until it is decided.
 */
@Controller()
export class AgentReportsController {
  readonly #log = logFor('agent-reports');

  constructor(
    private readonly publisher: DesiredStatePublisher,
    @Inject(aggregateToken('pool')) private readonly pools: PoolStore,
    @Inject(schedulingConfigToken) private readonly config: SchedulingConfig,
  ) {}

  /**
   * All of them in one consumer, because the reports of one node have an order: a task starts before it ends.
   */
  @EventPattern<string>('agent.*.*')
  async reported(@Payload() data: NodeReport['data'], @Ctx() context: JetStreamContext): Promise<void> {
    const [, nodeId, type] = context.tokens;
    const origin: ReportOrigin = { nodeId: nodeId!, at: context.recordedAt };
    // The transport has decoded the payload by the subject's last token.
    const report = { type, data } as NodeReport;
    switch (report.type) {
      case 'TaskStarted':
        return this.#decide(startOf(report.data, origin), context);
      case 'TaskCheckpointed':
        return this.#decide(checkpointOf(report.data, origin), context);
      case 'TaskCompleted':
        return this.#decide(completionOf(report.data, origin), context);
      case 'TaskFailed':
        return this.#decide(failureOf(report.data, origin), context);
      case 'ReplicaRunning':
        return this.#decide(renewalOf(report.data, origin), context);
      case 'ReplicaHealthy':
        return this.#decide(healthOf(report.data, '', origin), context);
      case 'ReplicaUnhealthy':
        return this.#decide(healthOf(report.data, report.data.reason, origin), context);
      case 'HoldingsChanged':
        return this.#decide(holdingsOf(report.data, this.config.POOL_ID, origin), context);
      case 'DesiredStateWanted':
        return this.publisher.publish(origin.nodeId);
      // Validators say these to verification.
      case 'AuditCommitted':
      case 'AuditRevealed':
      case 'AuditOrdersWanted':
        return;
    }
  }

  async #decide(command: PoolCommand, context: JetStreamContext): Promise<void> {
    // Credentials let an agent publish below its own node id only, so that the subject says who speaks.
    const nodeId = context.tokens[1];
    const { poolId } = command.data;
    if (poolId !== this.config.POOL_ID) {
      this.#log.warn('a report is about another pool', { nodeId, poolId });
      return;
    }
    // The time tells apart two streams that both began at position 1.
    const id = derivedId('cmd', context.subject, context.position, context.recordedAt.getTime());
    const outcome = await this.pools.execute(poolId, command, {
      commandId: id,
      metadata: { correlationId: id, causationId: id, actor: `node:${nodeId}` },
    });
    if (outcome.accepted) return;
    // A start that had to be sent again may be on its way behind the completion: try again later.
    if (outcome.rejection === 'LeaseNotStarted') throw new Error('the lease has not been started yet');
    this.#log.warn(`a report was refused: ${outcome.rejection}`, { nodeId, subject: context.subject });
  }
}
