import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Lane } from '@astro/jetstream/lane';
import type { HealthChecks } from './health.js';

/** What a service runs beside its requests. */
type Running = Pick<Lane, 'name' | 'healthy' | 'start' | 'stop'>;

/** The lanes of one service: started when everything is wired, stopped before anything is closed. */
export class Lanes implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #lanes: readonly Running[];

  constructor(lanes: readonly Running[], checks: HealthChecks) {
    this.#lanes = lanes;
    for (const lane of lanes) {
      checks.register(lane.name, () => (lane.healthy ? undefined : 'messages are not moving'));
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all(this.#lanes.map(lane => lane.start()));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.#lanes.map(lane => lane.stop()));
  }
}
