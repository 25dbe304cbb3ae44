import type { Recorded } from '@astro/event-sourcing/recorded';
import type { EventStore } from '@astro/jetstream/event-store';
import type { AnyAggregateStore } from '@astro/jetstream/command-lane';
import type { Message } from '@astro/event-sourcing/decider';
import { answer, reject, type Decision } from '@astro/event-sourcing/decider';
import type { ExplainTick, PoolEvent } from '@astro/messages/scheduling';
import { changeFlaw, TickReplay } from './pool/replayed-tick.js';

export type TickRejection =
  | 'ChangeIsInvalid'
  | 'JobNotFound'
  | 'NodeNotFound'
  | 'TickNotFound'
  | 'TickIsTooLate'
  | 'TickHasNoTime'
  | 'TicksAreBusy';

const PAGE_EVENTS = 500;
const EVENTS_MAX_DEFAULT = 200_000;

type Tick = { readonly position: number; readonly event: PoolEvent & { readonly type: 'LeasesGranted' } };

/**
 * Answers questions about recorded ticks. Reads the pool's events from its first one, in pages, beside the pool that
 * lives: one question at a time, and of a history of at most `eventsMax` events.
 */
export class TickQuestions implements AnyAggregateStore {
  #isBusy = false;

  constructor(
    private readonly events: Pick<EventStore, 'loadSome'>,
    private readonly eventsMax = EVENTS_MAX_DEFAULT,
  ) {}

  async execute(poolId: string, { data }: Message, { commandId }: { readonly commandId: string }) {
    const decision = await this.#decide(poolId, data as ExplainTick);
    const outcome = { commandId, rejection: '', detail: '', position: 0, changed: false };
    if (!decision.accepted)
      return { ...outcome, accepted: false, rejection: decision.rejection, detail: decision.detail ?? '' };
    return { ...outcome, accepted: true, answer: decision.answer! };
  }

  async #decide(poolId: string, question: ExplainTick): Promise<Decision<never, TickRejection>> {
    const flaw = changeFlaw(question.change);
    if (flaw) return reject('ChangeIsInvalid', flaw);
    if (this.#isBusy) return reject('TicksAreBusy', 'another question is being answered');
    this.#isBusy = true;
    try {
      return await this.#explain(poolId, question);
    } finally {
      this.#isBusy = false;
    }
  }

  async #explain(poolId: string, question: ExplainTick): Promise<Decision<never, TickRejection>> {
    const found = await this.#find(poolId, question);
    if (typeof found === 'string') return reject(found);
    const { position, event } = found;
    const { decidedAt } = event.data;
    if (!decidedAt)
      return reject('TickHasNoTime', 'it was recorded before ticks said when they were decided');
    const replay = new TickReplay(question);
    for await (const recorded of this.#history(poolId)) {
      if (recorded.position >= position) break;
      replay.apply(recorded.event as PoolEvent);
    }
    if (!replay.knowsJob) return reject('JobNotFound');
    if (!replay.knowsNode) return reject('NodeNotFound', 'change: the pool had no such node');
    return answer(replay.decide(position, { ...event.data, decidedAt }));
  }

  async #find(poolId: string, { jobId, position }: ExplainTick): Promise<Tick | TickRejection> {
    let found: Tick | undefined;
    let count = 0;
    for await (const recorded of this.#history(poolId)) {
      const event = recorded.event as PoolEvent;
      if (position > 0 && recorded.position > position) break;
      count += 1;
      // A tick that was never found may lie beyond; the last one of the job may too.
      if (count > this.eventsMax) return 'TickIsTooLate';
      if (event.type !== 'LeasesGranted') continue;
      const isMeant =
        position > 0
          ? recorded.position === position
          : event.data.grants.some(grant => grant.jobId === jobId);
      if (isMeant) found = { position: recorded.position, event };
    }
    return found ?? 'TickNotFound';
  }

  async *#history(poolId: string): AsyncGenerator<Recorded> {
    const aggregate = { type: 'scheduling.pool', id: poolId } as const;
    for (let after = 0; ;) {
      const { events, isAll } = await this.events.loadSome(aggregate, after, PAGE_EVENTS);
      yield* events;
      if (isAll) return;
      after = events.at(-1)!.position;
    }
  }
}
