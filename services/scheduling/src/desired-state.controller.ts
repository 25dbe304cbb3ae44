import type { PoolEvent } from '@astro/messages/scheduling';
import { JetStreamContext } from '@astro/jetstream/server';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { touchedNodes } from './desired-state.js';
import { DesiredStatePublisher } from './desired-state.publisher.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

/** Keeps the desired state of every node in step with the pool. */
@Controller()
export class DesiredStateController {
  constructor(
    private readonly publisher: DesiredStatePublisher,
    @Inject(schedulingConfigToken) private readonly config: SchedulingConfig,
  ) {}

  /** All of them in one consumer, because the events of one pool have an order. */
  @EventPattern<string>('evt.scheduling.pool.*.*')
  async poolChanged(@Payload() data: PoolEvent['data'], @Ctx() context: JetStreamContext): Promise<void> {
    const [, , , poolId, type] = context.tokens;
    if (poolId !== this.config.POOL_ID) return;
    // The transport has decoded the payload by the subject's last token.
    const event = { type, data } as PoolEvent;
    const { position } = context;
    const kept =
      event.type === 'ServiceScaled' ? await this.publisher.nodesOf(event.data.jobId, position) : [];
    const nodes = new Set([...touchedNodes(event), ...kept]);
    await Promise.all([...nodes].map(nodeId => this.publisher.publish(nodeId, position)));
  }
}
