import { DesiredStates } from '@astro/jetstream/desired-state';
import { KeyedQueue } from '@astro/jetstream/keyed-queue';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Inject, Injectable } from '@nestjs/common';
import { assignmentsOf } from './desired-state.js';
import type { PoolStore } from './placement.loop.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

/** Tells nodes what they should be working on. */
@Injectable()
export class DesiredStatePublisher {
  readonly #byNode = new KeyedQueue();

  constructor(
    private readonly desiredStates: DesiredStates,
    @Inject(aggregateToken('pool')) private readonly pools: PoolStore,
    @Inject(schedulingConfigToken) private readonly config: SchedulingConfig,
  ) {}

  /**
   * Puts the whole list of a node, from the pool as it is now: never from an event, which may be an old one.
   * Those of one node follow each other, so that a list is not replaced by an older one.
   */
  publish(nodeId: string): Promise<void> {
    return this.#byNode.run(nodeId, async () => {
      const { state } = await this.pools.load(this.config.POOL_ID);
      await this.desiredStates.put({
        nodeId,
        assignments: assignmentsOf(state, this.config.POOL_ID, nodeId),
      });
    });
  }
}
