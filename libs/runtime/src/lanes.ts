import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Lane } from '@astro/jetstream/lane';
import type { SharedWork } from '@astro/jetstream/shared-work';
import type { HealthChecks } from './health.js';

/** What a service runs beside its requests. */
type Running = Pick<Lane, 'name' | 'healthy' | 'start' | 'stop'>;

/**
 * What every process of a service runs: started when everything is wired, stopped before anything is closed. The work
 * that they share is started by the transport, which knows the last of its units.
 */
export class Lanes implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #lanes: readonly Running[];
  readonly #work: SharedWork;

  constructor(lanes: readonly Running[], work: SharedWork, checks: HealthChecks) {
    this.#lanes = lanes;
    this.#work = work;
    checks.register('work', () => work.problem);
    for (const lane of lanes) {
      checks.register(lane.name, () => (lane.healthy ? undefined : 'messages are not moving'));
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all(this.#lanes.map(lane => lane.start()));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.#work.stop(), ...this.#lanes.map(lane => lane.stop())]);
  }
}
