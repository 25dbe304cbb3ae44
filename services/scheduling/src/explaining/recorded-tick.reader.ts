import { answer, reject, type Decision, type Rejected } from '@astro/event-sourcing/decider';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { EventStore } from '@astro/jetstream/event-store';
import { keptStateBefore, type PastState } from '@astro/jetstream/past-state';
import type { Snapshots } from '@astro/jetstream/snapshots';
import type { ExplainTick, PoolEvent } from '@astro/messages/scheduling';
import { poolSnapshot } from '../pool/pool-snapshot.js';
import { emptyPool, type Pool } from '../pool/pool-state.js';
import { TickReplay } from '../pool/replayed-tick.js';

export type TickRejection =
  | 'ChangeIsInvalid'
  | 'JobNotFound'
  | 'NodeNotFound'
  | 'TickNotFound'
  | 'TickIsTooLate'
  | 'TickHasNoTime'
  | 'TicksAreBusy'
  | 'TickIsUndecided';

const PAGE_EVENTS = 500;

type Tick = { readonly position: number; readonly event: PoolEvent & { readonly type: 'LeasesGranted' } };

/** Finds recorded ticks and decides them again, on what the record says that the pool was before them. */
export class RecordedTicks {
  /** @param eventsMax read of the pool to find a tick, and again to come from a kept state to it */
  constructor(
    private readonly record: { readonly events: EventStore; readonly snapshots: Snapshots },
    private readonly eventsMax: number,
  ) {}

  async explain(question: ExplainTick): Promise<Decision<never, TickRejection>> {
    const submittedAt = await this.#firstPositionOf(question.jobId);
    if (submittedAt === undefined) return reject('JobNotFound');
    const { position } = question;
    const tick =
      position > 0
        ? await this.#tickAt(question.poolId, position)
        : await this.#lastTickOf(question, submittedAt);
    return 'accepted' in tick ? tick : this.#decideAgain(question, tick, submittedAt);
  }

  async #decideAgain(
    question: ExplainTick,
    { position, event }: Tick,
    submittedAt: number,
  ): Promise<Decision<never, TickRejection>> {
    const { decidedAt } = event.data;
    if (!decidedAt)
      return reject('TickHasNoTime', 'it was recorded before ticks said when they were decided');
    // A cap is part of the job: with another one the pool differs from when it learned of the job.
    const isOfJob = question.change.maxPricePerSecondAtto !== undefined;
    const asOf = Math.min(position, isOfJob ? submittedAt : position) - 1;
    const kept = await this.#stateBefore(question.poolId, asOf);
    const replay = new TickReplay(question, kept.state);
    let count = 0;
    for await (const recorded of this.#history(question.poolId, kept.position)) {
      if (recorded.position >= position) break;
      count += 1;
      if (count > this.eventsMax)
        return reject('TickIsTooLate', `more than ${this.eventsMax} events lead to it from a kept state`);
      replay.apply(recorded.event as PoolEvent);
    }
    if (!replay.knowsJob) return reject('JobNotFound');
    if (!replay.knowsNode) return reject('NodeNotFound', 'change: the pool had no such node');
    return answer(replay.decide(position, { ...event.data, decidedAt }));
  }

  async #firstPositionOf(jobId: string): Promise<number | undefined> {
    const { events } = await this.record.events.loadSome({ type: 'scheduling.job', id: jobId }, 0, 1);
    return events[0]?.position;
  }

  async #tickAt(poolId: string, position: number): Promise<Tick | Rejected<TickRejection>> {
    const { events } = await this.record.events.loadSome(poolOf(poolId), position - 1, 1);
    const event = events[0]?.event as PoolEvent | undefined;
    return events[0]?.position === position && event?.type === 'LeasesGranted'
      ? { position, event }
      : reject('TickNotFound');
  }

  /** All of them lie between the job's first event and what the pool records of its end. */
  async #lastTickOf(
    { poolId, jobId }: ExplainTick,
    submittedAt: number,
  ): Promise<Tick | Rejected<TickRejection>> {
    let found: Tick | undefined;
    let count = 0;
    for await (const { event: recorded, position } of this.#history(poolId, submittedAt)) {
      const event = recorded as PoolEvent;
      count += 1;
      if (count > this.eventsMax)
        return reject(
          'TickIsTooLate',
          `more than ${this.eventsMax} events followed the job: name the position`,
        );
      const isEnd = event.type === 'JobClosed' || event.type === 'JobAbandoned';
      if (isEnd && event.data.jobId === jobId) break;
      if (event.type === 'LeasesGranted' && event.data.grants.some(grant => grant.jobId === jobId))
        found = { position, event };
    }
    return found ?? reject('TickNotFound');
  }

  async #stateBefore(poolId: string, position: number): Promise<PastState<Pool>> {
    const kept = await keptStateBefore(this.record, poolOf(poolId), poolSnapshot, position);
    return kept ?? { state: emptyPool(), position: 0 };
  }

  async *#history(poolId: string, afterPosition: number): AsyncGenerator<Recorded> {
    for (let after = afterPosition; ;) {
      const { events, isAll } = await this.record.events.loadSome(poolOf(poolId), after, PAGE_EVENTS);
      yield* events;
      if (isAll) return;
      after = events.at(-1)!.position;
    }
  }
}

const poolOf = (id: string) => ({ type: 'scheduling.pool', id }) as const;
