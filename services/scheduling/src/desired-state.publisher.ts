import { DesiredStates } from '@astro/jetstream/desired-state';
import { KeyedQueue } from '@astro/jetstream/keyed-queue';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Inject, Injectable } from '@nestjs/common';
import { assignmentsOf, nodesOf } from './desired-state.js';
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
   * Puts the whole list of a node, from the pool as it is now: never from an event, which may be an old one. Of one
   * node, lists are put one after the other, and never in place of one from a later state of the pool.
   * @param position that the pool has reached at least
   */
  publish(nodeId: string, position = 0): Promise<void> {
    return this.#byNode.run(nodeId, async () => {
      const { POOL_ID: poolId } = this.config;
      const pool = await this.#load(position);
      const assignments = assignmentsOf(pool.state, poolId, nodeId);
      await this.desiredStates.put({ nodeId, assignments }, pool.position);
    });
  }

  /** The nodes that work for a job now. */
  async nodesOf(jobId: string, position: number): Promise<ReadonlySet<string>> {
    return nodesOf((await this.#load(position)).state, jobId);
  }

  async #load(position: number): ReturnType<PoolStore['load']> {
    const pool = await this.pools.load(this.config.POOL_ID);
    if (pool.position < position)
      throw new Error(`the pool was read as of ${pool.position}, not ${position}`);
    return pool;
  }
}
