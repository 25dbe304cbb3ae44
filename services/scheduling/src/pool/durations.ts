import type { DurationForecast } from '@astro/matching/queue/duration-forecast';
import { DurationHistory, type DurationGroupRecord } from '@astro/matching/queue/duration-history';
import { codeOf } from '@astro/messages/runtimes';
import type { JobSpec } from '@astro/messages/scheduling';
import { expectedMs } from './needs.js';

const RULES = { priorMs: 60_000, memoryTasks: 30, priorTasks: 3, groupsMax: 5_000 };

export type DurationsRecord = readonly DurationGroupRecord[];

/** How long tasks take, learned from the use that was metered. Only forecasts rest on it, and no decision. */
export class Durations {
  readonly #history = new DurationHistory(RULES);

  learn(tenantId: string, spec: JobSpec, meteredMs: number): void {
    this.#history.learn(groupsOf(tenantId, spec), meteredMs);
  }

  record(): DurationsRecord {
    return this.#history.record();
  }

  static from(record: DurationsRecord): Durations {
    const durations = new Durations();
    durations.#history.restore(record);
    return durations;
  }

  /** What the client expects counts like a few tasks that were seen; nothing lasts longer than its program may. */
  quantileMs(tenantId: string, spec: JobSpec, quantile: number, elapsedMs: number): number {
    const forecast: DurationForecast = this.#history.forecast(groupsOf(tenantId, spec));
    const { timeLimitMs } = spec.program;
    if (!this.#knows(tenantId, spec))
      return Math.max(elapsedMs, quantile > 0.5 ? timeLimitMs : expectedMs(spec));
    return Math.max(elapsedMs, Math.min(timeLimitMs, forecast.quantileMs(quantile, elapsedMs)));
  }

  #knows(tenantId: string, spec: JobSpec): boolean {
    const [own] = groupsOf(tenantId, spec).slice(-1);
    return this.#history.forecast([own!]).meanMs !== RULES.priorMs;
  }
}

/** From coarse to fine. */
const groupsOf = (tenantId: string, { program, requirements }: JobSpec): readonly string[] => [
  requirements.deviceKind,
  `tenant ${tenantId}`,
  `program ${codeOf(program)}`,
];
