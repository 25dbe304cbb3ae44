import { randomBytes } from 'node:crypto';
import { newId } from '@astro/event-sourcing/ids';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { backOffMs, delay } from '@astro/jetstream/delay';
import { reasonOf } from '@astro/jetstream/log';
import { WriterLease } from '@astro/jetstream/writer-lease';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { HealthChecks } from '@astro/runtime/health';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PolicyLearner } from './learning/policy-learner.loop.js';
import { PlacementPace } from './placement-pace.js';
import type { PoolRejection } from './pool/pool.js';
import type { Pool } from './pool/pool-state.js';
import { schedulingConfigToken, type SchedulingConfig } from './scheduling.config.js';

export type PoolStore = AggregateStore<Pool, PoolCommand, PoolEvent, PoolRejection>;

const LEASE_TTL_MS = 5_000;
/** Two renewals may be lost before the lease is. */
const RENEWAL_INTERVAL_MS = LEASE_TTL_MS / 3;
const BACK_OFF = { baseMs: 200, maxMs: 10_000 };
const UNHEALTHY_AFTER_FAILURES = 3;

/**
 * Looks at the pool at every tick and places what waits. One process at a time does, the holder of the pool's
 * writer lease; should two believe that they hold it, the event store's expected position lets only one of
 * them write.
 *
 * Ticks go to the aggregate store directly rather than over the command stream: nobody asked for them, so
 * there is no wish to keep, and a tick that changes nothing must leave no trace.
 */
@Injectable()
export class PlacementLoop implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = logFor('placement');
  readonly #stopping = new AbortController();
  readonly #lease: WriterLease;
  readonly #pace: PlacementPace;
  #running: Promise<void> = Promise.resolve();
  #renewAtMs = 0;
  #failures = 0;

  constructor(
    bus: Bus,
    checks: HealthChecks,
    @Inject(aggregateToken('pool')) private readonly pools: PoolStore,
    private readonly learner: PolicyLearner,
    @Inject(schedulingConfigToken)
    private readonly config: Pick<SchedulingConfig, 'POOL_ID' | 'TICK_MS' | 'PLACEMENT_PATIENCE_MS'>,
  ) {
    const holder = `scheduling-${randomBytes(8).toString('hex')}`;
    this.#lease = new WriterLease(bus, `pool-${config.POOL_ID}`, holder, LEASE_TTL_MS);
    this.#pace = new PlacementPace(config.PLACEMENT_PATIENCE_MS, new Date());
    checks.register('placement', () =>
      this.#failures < UNHEALTHY_AFTER_FAILURES ? undefined : `${this.#failures} ticks in a row have failed`,
    );
  }

  onApplicationBootstrap(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    // The lease ends by itself in seconds; giving it back only saves the next holder the wait.
    await this.#lease
      .release()
      .catch((error: unknown) => this.#log.warn('the lease was not released', { reason: reasonOf(error) }));
  }

  /** One tick ends before the next begins. */
  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let waitMs = this.config.TICK_MS;
      try {
        // What one tick began the next goes on with: its limits are those of one event, not of the pool's pace.
        if ((await this.#holdsLease()) && (await this.#tick())) waitMs = 0;
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        waitMs = backOffMs(this.#failures, BACK_OFF);
        this.#log.error('a tick failed', { reason: reasonOf(error), failures: this.#failures });
      }
      await delay(waitMs, signal);
    }
  }

  async #holdsLease(): Promise<boolean> {
    if (performance.now() < this.#renewAtMs) return this.#lease.isHeld;
    const held = this.#lease.isHeld;
    const holds = await this.#lease.renew();
    this.#renewAtMs = performance.now() + RENEWAL_INTERVAL_MS;
    if (holds !== held) this.#log.info(holds ? 'places for the pool' : 'another process places for the pool');
    return holds;
  }

  /** Whether it changed anything. */
  async #tick(): Promise<boolean> {
    const poolId = this.config.POOL_ID;
    const seen = await this.pools.load(poolId);
    this.learner.look(seen.state);
    const now = new Date();
    const patienceMs = this.#pace.patienceFor(seen, now);
    if (patienceMs === undefined) return false;
    const commandId = newId('cmd');
    const outcome = await this.pools.execute(
      poolId,
      { type: 'PlaceTasks', data: { poolId, now, patienceMs } },
      {
        commandId,
        metadata: { correlationId: commandId, causationId: commandId, actor: 'service:scheduling' },
      },
    );
    if (!outcome.changed) this.#pace.foundNothing(seen, now);
    return outcome.changed;
  }
}
