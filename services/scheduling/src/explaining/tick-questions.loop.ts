import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { Message } from '@astro/event-sourcing/decider';
import { reject, type Decision } from '@astro/event-sourcing/decider';
import type { BusOptions } from '@astro/jetstream/bus';
import type { AnyAggregateStore } from '@astro/jetstream/command-lane';
import { reasonOf } from '@astro/jetstream/log';
import type { ExplainTick } from '@astro/messages/scheduling';
import type { CommonConfig } from '@astro/runtime/config';
import { changeFlaw } from '../pool/replayed-tick.js';
import type { TickRejection } from './recorded-tick.reader.js';

/** What the thread is given: it makes its own connection. */
export type TickTask = {
  readonly bus: BusOptions;
  readonly question: ExplainTick;
  /** Read of the pool to find the tick, and again to come from a kept state to it. */
  readonly eventsMax: number;
};

type Limits = {
  readonly eventsMax: number;
  readonly timeLimitMs: number;
  /** Of the thread's heap: two pools as large as one may be, one of them with the job's other cap. */
  readonly heapMib: number;
};
const DEFAULT_LIMITS: Limits = { eventsMax: 200_000, timeLimitMs: 25_000, heapMib: 1_536 };

const threadFile = import.meta.url.endsWith('.ts')
  ? './recorded-tick.worker.ts'
  : './recorded-tick.worker.js';

/**
 * Answers questions about recorded ticks, one at a time, each in a thread of its own that reads and decides: placing
 * goes on beside it, and a question that is too much ends its thread and nothing else.
 */
export class TickQuestions implements AnyAggregateStore {
  readonly #limits: Limits;
  #isBusy = false;

  constructor(
    private readonly config: Pick<CommonConfig, 'NATS_URL' | 'NATS_CREDENTIALS_FILE'>,
    limits: Partial<Limits> = {},
  ) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  async execute(_poolId: string, { data }: Message, { commandId }: { readonly commandId: string }) {
    const decision = await this.#decide(data as ExplainTick);
    const outcome = { commandId, rejection: '', detail: '', position: 0, changed: false };
    if (!decision.accepted)
      return { ...outcome, accepted: false, rejection: decision.rejection, detail: decision.detail ?? '' };
    return { ...outcome, accepted: true, answer: decision.answer! };
  }

  async #decide(question: ExplainTick): Promise<Decision<never, TickRejection>> {
    const flaw = changeFlaw(question.change);
    if (flaw) return reject('ChangeIsInvalid', flaw);
    if (this.#isBusy) return reject('TicksAreBusy', 'another question is being answered');
    this.#isBusy = true;
    try {
      return await this.#askThread(question);
    } catch (error) {
      return reject('TickIsUndecided', reasonOf(error));
    } finally {
      this.#isBusy = false;
    }
  }

  /** @throws Error when the thread ends, or is ended, before it has answered */
  async #askThread(question: ExplainTick): Promise<Decision<never, TickRejection>> {
    const { NATS_URL: servers, NATS_CREDENTIALS_FILE: path } = this.config;
    const { eventsMax, timeLimitMs, heapMib } = this.#limits;
    const credentials = path === undefined ? {} : { credentials: await readFile(path, 'utf8') };
    const task: TickTask = { bus: { servers, name: 'scheduling-tick', ...credentials }, question, eventsMax };
    const worker = new Worker(new URL(threadFile, import.meta.url), {
      workerData: task,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 64 },
    });
    const { promise, resolve, reject: fail } = Promise.withResolvers<Decision<never, TickRejection>>();
    const timer = setTimeout(
      () => fail(new Error(`it was not decided again in ${timeLimitMs} ms`)),
      timeLimitMs,
    );
    worker.once('message', resolve);
    worker.once('error', fail);
    worker.once('exit', code => fail(new Error(`the thread that decides it again ended with ${code}`)));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      await worker.terminate();
    }
  }
}
