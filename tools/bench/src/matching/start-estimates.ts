import { expectedStart, WAITING_MAX, type ExpectedStart } from '@astro/matching/queue/expected-start';
import { StartCalibration } from '@astro/matching/queue/start-calibration';
import type { DurationForecast } from '@astro/matching/queue/duration-forecast';

type Asked = { readonly taskId: string; readonly gpus: number; readonly forecast: DurationForecast };
type Pool = {
  readonly freeGpus: number;
  readonly running: Iterable<{ readonly task: Asked; readonly startedMs: number }>;
};

/** How many of the estimates given held. */
export type EstimateFigures = {
  readonly asked: number;
  readonly shareWithinP50: number;
  readonly shareWithinP90: number;
};

/** Estimates when waiting tasks will start, as a client would be told, and learns from when they did. */
export class StartEstimates {
  private readonly calibration = new StartCalibration();
  private readonly given = new Map<
    string,
    { readonly atMs: number; readonly raw: ExpectedStart; told: ExpectedStart }
  >();
  private asked = 0;
  private withinP50 = 0;
  private withinP90 = 0;

  /** @param inOrder the whole queue, in which the task is */
  ask(task: Asked, inOrder: { next(): Asked | undefined }, pool: Pool, nowMs: number): void {
    const waiting: Asked[] = [];
    let moreWaiting = 0;
    for (let ahead = inOrder.next(); ahead && ahead.taskId !== task.taskId; ahead = inOrder.next()) {
      if (waiting.length < WAITING_MAX) waiting.push(ahead);
      else moreWaiting += 1;
    }
    const raw = expectedStart(task.gpus, {
      freeUnits: pool.freeGpus,
      running: [...pool.running].map(({ task: { gpus, forecast }, startedMs }) => ({
        units: gpus,
        elapsedMs: nowMs - startedMs,
        forecast,
      })),
      waiting: waiting.map(({ gpus, forecast }) => ({ units: gpus, forecast })),
      moreWaiting,
    });
    if (raw) this.given.set(task.taskId, { atMs: nowMs, raw, told: this.calibration.correct(raw) });
  }

  started(taskId: string, nowMs: number): void {
    const given = this.given.get(taskId);
    if (!given) return;
    this.given.delete(taskId);
    const waitedMs = nowMs - given.atMs;
    this.asked += 1;
    if (waitedMs <= given.told.p50Ms) this.withinP50 += 1;
    if (waitedMs <= given.told.p90Ms) this.withinP90 += 1;
    this.calibration.learn(given.raw, waitedMs);
  }

  figures(): EstimateFigures {
    const share = (count: number) => (this.asked > 0 ? Number((count / this.asked).toFixed(3)) : 1);
    return {
      asked: this.asked,
      shareWithinP50: share(this.withinP50),
      shareWithinP90: share(this.withinP90),
    };
  }
}
