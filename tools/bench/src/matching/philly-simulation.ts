import { admit, type AdmissionRules, type Promised } from '@astro/matching/queue/admit';
import type { DurationForecast } from '@astro/matching/queue/duration-forecast';
import { defaultDurationRules, DurationHistory } from '@astro/matching/queue/duration-history';
import { FairShares } from '@astro/matching/queue/fair-shares';
import { IndexedHeap } from '@astro/matching/queue/indexed-heap';
import type { QueueOrder } from '@astro/matching/queue/queue-order';
import { TaskQueue, type WaitingTask } from '@astro/matching/queue/task-queue';
import { GangPool, GPUS_PER_NODE, type KeptNodes, type Running } from './gang-pool.js';
import type { PhillyJob } from './philly-trace.js';
import { StartEstimates, type EstimateFigures } from './start-estimates.js';

export type Discipline = {
  readonly order: QueueOrder;
  readonly admission: AdmissionRules;
  /** `true`: durations are known beforehand; `learned`: only from jobs that have ended. */
  readonly durations: 'true' | 'learned';
};

/** What a job waited, in the order of submission. */
export type Waited = { readonly job: PhillyJob; readonly waitSeconds: number };

type PhillyTask = WaitingTask & {
  readonly job: PhillyJob;
  readonly gpus: number;
  readonly forecast: DurationForecast;
};
type End = {
  readonly atMs: number;
  readonly sequence: number;
  readonly lease: Running<PhillyTask>;
  slot: number;
};

const QUEUE_MAX = 1_000_000;
const HALF_LIFE_MS = 86_400_000;
/** A duration that four of five do not exceed is what a task may pass the head with. */
const UPPER_QUANTILE = 0.8;
/** One of so many jobs asks when it will start. */
const ASKED_EVERY = 20;
const TIMES_MAX = 10_000_000;

/** Replays the jobs on a pool under a discipline; what it learns, it learns from jobs that have ended. */
export class PhillySimulation {
  private readonly queue: TaskQueue<PhillyTask>;
  private readonly pool: GangPool<PhillyTask>;
  private readonly shares: FairShares;
  private readonly history = new DurationHistory(defaultDurationRules);
  private readonly ends = new IndexedHeap<End>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence),
  );
  private readonly waits = new Map<PhillyJob, number>();
  private readonly isLearned: boolean;
  private readonly estimates = new StartEstimates();
  private readonly asking: PhillyTask[] = [];
  private promised: Promised<KeptNodes> | undefined;
  private nowMs = 0;

  constructor(
    nodes: number,
    private readonly discipline: Discipline,
  ) {
    this.queue = new TaskQueue(discipline.order, { tasksMax: QUEUE_MAX });
    this.shares = new FairShares({ capacity: [nodes * GPUS_PER_NODE], halfLifeMs: HALF_LIFE_MS });
    this.isLearned = discipline.durations === 'learned';
    const ends = this.isLearned ? expectedEndMs : knownEndMs;
    this.pool = new GangPool(nodes, ends, lease => this.began(lease));
  }

  run(jobs: readonly PhillyJob[]): readonly Waited[] {
    let next = 0;
    for (let times = 0; next < jobs.length || this.ends.size > 0; times++) {
      if (times > TIMES_MAX) throw new Error(`more than ${TIMES_MAX} moments`);
      const submitMs = jobs[next] ? jobs[next]!.submitSeconds * 1_000 : Infinity;
      this.nowMs = Math.min(submitMs, this.ends.at(0)?.atMs ?? Infinity);
      while (this.ends.size > 0 && this.ends.at(0)!.atMs <= this.nowMs) this.ended(this.ends.pop()!.lease);
      for (; next < jobs.length && jobs[next]!.submitSeconds * 1_000 <= this.nowMs; next++) {
        this.submitted(jobs[next]!, next);
      }
      this.admit();
      this.ask();
    }
    if (this.queue.size > 0) throw new RangeError(`${this.queue.size} jobs never fit the pool`);
    return jobs.map(job => ({ job, waitSeconds: this.waits.get(job)! }));
  }

  /** How well it was foretold when a task would start; only where durations are learned. */
  estimateFigures(): EstimateFigures {
    return this.estimates.figures();
  }

  private readonly useOfEntitlement = (tenantId: string) =>
    this.shares.useOfEntitlement(tenantId, this.nowMs);

  private submitted(job: PhillyJob, index: number): void {
    const { tenantId, gpus } = job;
    const forecast = this.history.forecast(groupsOf(job));
    const task = {
      taskId: String(index),
      tenantId,
      classKey: String(gpus),
      enqueuedMs: this.nowMs,
      priority: 5,
      expectedMs: this.isLearned ? forecast.meanMs : job.durationSeconds * 1_000,
      demand: [gpus],
      job,
      gpus,
      forecast,
    };
    this.queue.add(task);
    if (this.isLearned && index % ASKED_EVERY === 0) this.asking.push(task);
  }

  /** Those of the newly submitted that did not start at once ask when they will. */
  private ask(): void {
    for (const task of this.asking.splice(0)) {
      if (!this.queue.has(task.taskId)) continue;
      this.estimates.ask(task, this.queue.walk(this.useOfEntitlement), this.pool, this.nowMs);
    }
  }

  private admit(): void {
    this.pool.advance(this.nowMs);
    const { started, promised } = admit<PhillyTask, KeptNodes>({
      walk: this.queue.walk(this.useOfEntitlement),
      room: this.pool,
      nowMs: this.nowMs,
      upperMs: ({ job, forecast }) =>
        this.isLearned ? forecast.quantileMs(UPPER_QUANTILE) : job.durationSeconds * 1_000,
      onStart: ({ tenantId, demand }) => this.shares.hold(tenantId, demand, this.nowMs),
      promised: this.promised,
      rules: this.discipline.admission,
    });
    for (const { taskId } of started) this.queue.remove(taskId);
    this.promised = promised;
  }

  private began(lease: Running<PhillyTask>): void {
    const { job } = lease.task;
    this.waits.set(job, this.nowMs / 1_000 - job.submitSeconds);
    this.estimates.started(lease.task.taskId, this.nowMs);
    const atMs = this.nowMs + job.durationSeconds * 1_000;
    this.ends.push({ atMs, sequence: this.waits.size, lease, slot: 0 });
  }

  private ended(lease: Running<PhillyTask>): void {
    const { job, tenantId, demand } = lease.task;
    this.pool.end(lease);
    this.shares.giveBack(tenantId, demand, this.nowMs);
    this.history.learn(groupsOf(job), job.durationSeconds * 1_000);
  }
}

/** From coarse to fine. */
const groupsOf = ({ tenantId, gpus }: PhillyJob) => ['all', `gpus ${gpus}`, `${tenantId} ${gpus}`];

const expectedEndMs = ({ forecast }: PhillyTask, startedMs: number, nowMs: number) =>
  startedMs + forecast.quantileMs(0.5, nowMs - startedMs);

const knownEndMs = ({ job }: PhillyTask, startedMs: number) => startedMs + job.durationSeconds * 1_000;
