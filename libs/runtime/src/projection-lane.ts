import type { EntityManager, EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { crashPoint } from '@astro/jetstream/crash-point';
import type { Delivered } from '@astro/jetstream/delivered';
import { filterOf, isAmong, lastPositionOf } from '@astro/jetstream/event-reader';
import { consumerNameOf, recordedFrom } from '@astro/jetstream/lane';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { PositionedLane } from '@astro/jetstream/positioned-lane';
import { contextOf, eventStreamOf } from '@astro/jetstream/subjects';
import { readCheckpoint } from '@astro/postgres/checkpoints';
import { GenerationIsBeingFilled } from '@astro/postgres/generation';
import { ProjectionRunner, StaleCheckpoint, Superseded } from '@astro/postgres/projection-runner';
import { serveNewGeneration } from './new-generation.js';
import type { ProjectionReport, ProjectionState } from './projection-reports.js';

/** Events of one transaction: enough to spare round trips, few enough to be done well within any time-out. */
const maxBatch = 1_000;
/** Meetings with another runner of the same projection in one batch; each of them means that it moved on. */
const maxMeetings = 10;
const retryMs = 1_000;
const unhealthyAfterFailures = 3;

export type ProjectionLaneOptions = {
  readonly bus: Bus;
  readonly orm: MikroORM;
  readonly projection: Projection<Message, EntityManager>;
  /** Where a new generation is filled: of the role that owns the schema. */
  readonly url: string;
  readonly entities: readonly EntitySchema[];
  readonly log: Log;
};

/**
 * Keeps one read model up to date; its checkpoint in PostgreSQL says where it goes on. Where an earlier version serves,
 * its tables do so until this version has filled its own.
 */
export class ProjectionLane {
  readonly name: string;
  readonly #options: ProjectionLaneOptions;
  readonly #runner: ProjectionRunner;
  readonly #lane: PositionedLane<Recorded>;
  readonly #stopping = new AbortController();
  #state: ProjectionState = 'live';
  #deployment: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: ProjectionLaneOptions) {
    const { bus, orm, projection, log } = options;
    this.#options = options;
    this.#runner = new ProjectionRunner(orm, projection);
    this.name = consumerNameOf(`${projection.name}_projection`);
    this.#lane = new PositionedLane(
      bus,
      {
        stream: eventStreamOf(contextOf(projection.reads[0])),
        durable: this.name,
        filterSubjects: [filterOf(projection.reads)],
        startAfter: () => this.#unlessSuperseded(() => this.#runner.position()),
        read: message => (isAmong(projection.reads, message.subject) ? this.#read(message) : undefined),
        handleBatch: batch => this.#unlessSuperseded(() => this.#apply(batch)),
        maxInFlight: projection.maxBatch ?? maxBatch,
      },
      log,
    );
  }

  get healthy(): boolean {
    if (this.#state === 'live') return this.#lane.healthy;
    return this.#failures < unhealthyAfterFailures;
  }

  async start(): Promise<void> {
    const { orm, projection } = this.#options;
    const served = (await readCheckpoint(orm.em.fork(), projection.name))?.version ?? projection.version;
    if (served === projection.version) return this.#lane.start();
    if (served > projection.version) return this.#standBack(served);
    this.#state = 'filling';
    this.#deployment = this.#deploy();
    return undefined;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#deployment;
    await this.#lane.stop();
  }

  async report(): Promise<ProjectionReport> {
    const { bus, orm, projection } = this.#options;
    const [checkpoint, lastPosition] = await Promise.all([
      readCheckpoint(orm.em.fork(), projection.name),
      lastPositionOf(bus, projection.reads),
    ]);
    const { version = projection.version, position = 0 } = checkpoint ?? {};
    const lag = Math.max(0, lastPosition - position);
    return { name: projection.name, state: this.#state, version, position, lastPosition, lag };
  }

  #read(message: Delivered): Recorded {
    const recorded = recordedFrom(message);
    this.#options.projection.prepare?.(recorded);
    return recorded;
  }

  async #apply(batch: readonly Recorded[]): Promise<void> {
    for (let meetings = 1; ; meetings++) {
      try {
        await this.#runner.apply(batch);
        return crashPoint('after-commit');
      } catch (cause) {
        if (!(cause instanceof StaleCheckpoint) || meetings === maxMeetings) throw cause;
      }
    }
  }

  /** When a later version took over, nothing is left to do here until the process is replaced. */
  async #unlessSuperseded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof Superseded) {
        this.#standBack(cause.liveVersion);
        void this.#lane.stop();
      }
      throw cause;
    }
  }

  #standBack(liveVersion: number): void {
    if (this.#state === 'superseded') return;
    this.#state = 'superseded';
    const { log, projection } = this.#options;
    log.warn(`version ${liveVersion} serves; version ${projection.version} stands back`);
  }

  async #deploy(): Promise<void> {
    const { orm: live, projection, log } = this.#options;
    const { signal } = this.#stopping;
    log.info(`version ${projection.version} fills its tables beside those that serve`);
    while (!signal.aborted) {
      try {
        const served = await readCheckpoint(live.em.fork(), projection.name);
        if (served && served.version < projection.version)
          await serveNewGeneration({ ...this.#options, live, resume: true, signal });
        this.#state = 'live';
        log.info(`version ${projection.version} serves`);
        return await this.#lane.start();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof GenerationIsBeingFilled)) {
          this.#failures += 1;
          log.warn('a new generation could not be filled', {
            reason: reasonOf(error),
            failures: this.#failures,
          });
        }
        await sleep(retryMs, undefined, { signal }).catch((aborted: unknown) => {
          if (!signal.aborted) throw aborted;
        });
      }
    }
  }
}
