import { derivedId } from '@astro/event-sourcing/ids';
import { JetStreamContext } from '@astro/jetstream/server';
import type { DesiredStateWanted, TaskCompleted, TaskFailed, TaskStarted } from '@astro/messages/agent';
import type { PoolCommand } from '@astro/messages/scheduling';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { completionOf, failureOf, startOf, type ReportOrigin } from './agent-reports.js';
import { DesiredStatePublisher } from './desired-state.publisher.js';
import type { PoolStore } from './placement-loop.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

/**
 * What agents report becomes commands to the pool. They go to the pool's store directly, which is in this process:
 * a report is durable already, and is delivered again until it is decided.
 */
@Controller()
export class AgentReportsController {
  readonly #log = logFor('agent-reports');

  constructor(
    private readonly publisher: DesiredStatePublisher,
    @Inject(aggregateToken('pool')) private readonly pools: PoolStore,
    @Inject(schedulingConfigToken) private readonly config: SchedulingConfig,
  ) {}

  @EventPattern<string>('agent.*.TaskStarted')
  async taskStarted(@Payload() report: TaskStarted, @Ctx() context: JetStreamContext): Promise<void> {
    await this.#decide(startOf(report, originOf(context)), context);
  }

  @EventPattern<string>('agent.*.TaskCompleted')
  async taskCompleted(@Payload() report: TaskCompleted, @Ctx() context: JetStreamContext): Promise<void> {
    await this.#decide(completionOf(report, originOf(context)), context);
  }

  @EventPattern<string>('agent.*.TaskFailed')
  async taskFailed(@Payload() report: TaskFailed, @Ctx() context: JetStreamContext): Promise<void> {
    await this.#decide(failureOf(report, originOf(context)), context);
  }

  @EventPattern<string>('agent.*.DesiredStateWanted')
  async desiredStateWanted(
    @Payload() _report: DesiredStateWanted,
    @Ctx() context: JetStreamContext,
  ): Promise<void> {
    await this.publisher.publish(originOf(context).nodeId);
  }

  async #decide(command: PoolCommand, context: JetStreamContext): Promise<void> {
    const { nodeId } = originOf(context);
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
    // Starts and completions come through two consumers, so the start may still be on its way: try again later.
    if (outcome.rejection === 'LeaseNotStarted') throw new Error('the lease has not been started yet');
    this.#log.warn(`a report was refused: ${outcome.rejection}`, { nodeId, subject: context.subject });
  }
}

/** Credentials let an agent publish below its own node id only, so that the subject says who speaks. */
const originOf = ({ tokens, recordedAt }: JetStreamContext): ReportOrigin => ({
  nodeId: tokens[1]!,
  at: recordedAt,
});
