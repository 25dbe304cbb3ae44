import { derivedId } from '@astro/event-sourcing/ids';
import { JetStreamContext } from '@astro/jetstream/server';
import type { AuditCommitted, AuditOrdersWanted, AuditRevealed } from '@astro/messages/agent';
import type { AuditCommand } from '@astro/messages/verification';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { AuditStore } from './audit-desk.unit.js';
import { OrdersPublisher } from './orders.publisher.js';

/** Of a task and an audit that can be; what is longer is nobody's. */
const TASK_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** What validators report becomes commands to the audit. Their credentials say who speaks, the bus's clock when. */
@Controller()
export class ValidatorReportsController {
  readonly #log = logFor('validator-reports');

  constructor(
    @Inject(aggregateToken('audit')) private readonly audits: AuditStore,
    private readonly orders: OrdersPublisher,
  ) {}

  @EventPattern<string>('agent.*.AuditCommitted')
  committed(@Payload() { taskId, round, commitment }: AuditCommitted, @Ctx() context: JetStreamContext) {
    const [validatorId, at] = [context.tokens[1]!, context.recordedAt];
    return this.#decide(
      { type: 'CommitVerdict', data: { taskId, round, validatorId, commitment, at } },
      context,
    );
  }

  @EventPattern<string>('agent.*.AuditRevealed')
  revealed(@Payload() { taskId, round, digest, salt }: AuditRevealed, @Ctx() context: JetStreamContext) {
    const [validatorId, at] = [context.tokens[1]!, context.recordedAt];
    return this.#decide(
      { type: 'RevealVerdict', data: { taskId, round, validatorId, digest, salt, at } },
      context,
    );
  }

  @EventPattern<string>('agent.*.AuditOrdersWanted')
  wanted(@Payload() _wish: AuditOrdersWanted, @Ctx() context: JetStreamContext): Promise<void> {
    return this.orders.publish(context.tokens[1]!, new Date());
  }

  async #decide(command: AuditCommand, context: JetStreamContext): Promise<void> {
    const { taskId } = command.data;
    const nodeId = context.tokens[1];
    if (!TASK_ID.test(taskId)) return this.#log.warn('a report names no task', { nodeId });
    // The time tells apart two streams that both began at position 1.
    const id = derivedId('cmd', context.subject, context.position, context.recordedAt.getTime());
    const outcome = await this.audits.execute(taskId, command, {
      commandId: id,
      metadata: { correlationId: id, causationId: id, actor: `node:${nodeId}` },
    });
    if (!outcome.accepted) this.#log.warn(`a report was refused: ${outcome.rejection}`, { nodeId, taskId });
  }
}
