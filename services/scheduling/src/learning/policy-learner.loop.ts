import { newId } from '@astro/event-sourcing/ids';
import { reasonOf } from '@astro/jetstream/log';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import type { PoolRejection } from '../pool/pool.js';
import { nextPolicyVersion } from '../pool/learning/adopt.js';
import { learnedPolicyOf } from '../pool/learning/learned-policy.js';
import { hasDrifted, lessonOf, type Lesson } from '../pool/learning/lesson.js';
import type { Pool } from '../pool/pool-state.js';
import { schedulingConfigToken, type SchedulingConfig } from '../scheduling.config.js';
import { learnFrom } from './learning-thread.loop.js';

/**
 * Has the pool adopt a policy that was learned from what arrives and from the nodes that it has, and another one when
 * either has changed enough. One lesson at a time, in another thread. What fails, or takes too long, leaves the
 * policy as it is, and is tried again after the interval.
 */
@Injectable()
export class PolicyLearner implements BeforeApplicationShutdown {
  readonly #log = logFor('learning');
  readonly #stopping = new AbortController();
  #learning: Promise<void> | undefined;
  #nextLookAtMs = 0;

  constructor(
    @Inject(aggregateToken('pool'))
    private readonly pools: Pick<AggregateStore<Pool, PoolCommand, PoolEvent, PoolRejection>, 'execute'>,
    @Inject(schedulingConfigToken)
    private readonly config: Pick<
      SchedulingConfig,
      'POOL_ID' | 'LEARNING_INTERVAL_MS' | 'LEARNING_TIME_LIMIT_MS'
    >,
  ) {}

  /** Reads of the pool what there is to learn, and goes on with it beside whatever comes next. */
  look(pool: Pool): void {
    const nowMs = performance.now();
    if (this.#learning || this.#stopping.signal.aborted || nowMs < this.#nextLookAtMs) return;
    this.#nextLookAtMs = nowMs + this.config.LEARNING_INTERVAL_MS;
    const lesson = lessonOf(pool);
    if (!lesson || (pool.adopted && !hasDrifted(pool.adopted, lesson))) return;
    this.#learning = this.#learn(lesson, nextPolicyVersion(pool))
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#log.warn('no policy was learned', { reason: reasonOf(error) });
      })
      .finally(() => {
        this.#learning = undefined;
        this.#nextLookAtMs = performance.now() + this.config.LEARNING_INTERVAL_MS;
      });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort(new Error('the service stops'));
    await this.#learning;
  }

  async #learn(lesson: Lesson, version: number): Promise<void> {
    const { POOL_ID: poolId, LEARNING_TIME_LIMIT_MS: timeLimitMs } = this.config;
    const beganAtMs = performance.now();
    const learned = await learnFrom(lesson, timeLimitMs, this.#stopping.signal);
    const learnedInMs = Math.round(performance.now() - beganAtMs);
    const policy = learnedPolicyOf(learned.lesson, learned.values, version);
    const commandId = newId('cmd');
    const outcome = await this.pools.execute(
      poolId,
      { type: 'AdoptPolicy', data: { poolId, policy } },
      {
        commandId,
        metadata: { correlationId: commandId, causationId: commandId, actor: 'service:scheduling' },
      },
    );
    const { accepted, rejection, detail } = outcome;
    if (!accepted) throw new Error(`${rejection}: ${detail}`);
    const { demands, fleet } = policy;
    this.#log.info('the pool picks nodes by a learned policy', {
      version,
      demands: demands.length,
      shapes: fleet.length,
      learnedInMs,
    });
  }
}
