import type { Decider, Message } from '@astro/event-sourcing/decider';
import type { AggregateRef, AggregateType, Metadata, Recorded } from '@astro/event-sourcing/recorded';
import type { Outcome } from '@astro/messages/runtime';
import { LRUCache } from 'lru-cache';
import { crashPoint } from './crash-point.js';
import { backOffMs, delay } from './delay.js';
import { ConcurrencyConflict, type Appended, type EventStore } from './event-store.js';
import { KeyedQueue } from './keyed-queue.js';

const DEFAULT_CACHE_SIZE = 1_000;
/**
 * Commands remembered for each cached aggregate; beyond them, deciders accept a repeated command as nothing
 * to do.
 */
const REMEMBERED_COMMANDS = 4_096;
const CONFLICT_ATTEMPTS = 10;
const CONFLICT_BACK_OFF = { baseMs: 5, maxMs: 250 };

type Known<State> = {
  readonly state: State;
  readonly position: number;
  /**
   * Commands whose events the aggregate already has, oldest first. Grows in place: each aggregate is served
   * serially.
   */
  readonly commandIds: Set<string>;
};

/** Loads, decides and appends for the aggregates of one type. */
export class AggregateStore<
  State,
  Command extends Message,
  Event extends Message,
  Rejection extends string = string,
> {
  readonly #store: EventStore;
  readonly #type: AggregateType;
  readonly #decider: Decider<State, Command, Event, Rejection>;
  readonly #cache: LRUCache<string, Known<State>>;
  readonly #queue = new KeyedQueue();

  constructor(
    store: EventStore,
    type: AggregateType,
    decider: Decider<State, Command, Event, Rejection>,
    options: { readonly cacheSize?: number } = {},
  ) {
    this.#store = store;
    this.#type = type;
    this.#decider = decider;
    this.#cache = new LRUCache({ max: options.cacheSize ?? DEFAULT_CACHE_SIZE });
  }

  /** The aggregate as of now, with the position of its last event (0 when it has none). */
  async load(id: string): Promise<{ readonly state: State; readonly position: number }> {
    const { state, position } = await this.#queue.run(id, () => this.#catchUp(id));
    return { state, position };
  }

  /**
   * Decides one command and records what follows from it. A command that was recorded before is accepted
   * without events. A lost race is decided again on the new state.
   * @throws ConcurrencyConflict when it lost the race every time; Error when the event store gives no
   * answer
   */
  execute(
    id: string,
    command: Command,
    options: { readonly commandId: string; readonly metadata: Metadata },
  ): Promise<Outcome> {
    return this.#queue.run(id, () => this.#execute({ type: this.#type, id }, command, options));
  }

  async #execute(
    aggregate: AggregateRef,
    command: Command,
    options: { readonly commandId: string; readonly metadata: Metadata },
  ): Promise<Outcome> {
    const { commandId } = options;
    const cached = this.#cache.get(aggregate.id);
    let known = cached ?? (await this.#catchUp(aggregate.id));
    let fresh = cached === undefined;
    for (let attempt = 1; ;) {
      const outcome = {
        commandId,
        accepted: true,
        rejection: '',
        detail: '',
        position: known.position,
        changed: false,
      };
      if (known.commandIds.has(commandId)) return outcome;
      const decision = this.#decider.decide(command, known.state);
      if (decision.accepted && decision.events.length > 0) {
        try {
          const { position, repeated } = await this.#append(aggregate, decision.events, known, options);
          return { ...outcome, position, changed: !repeated };
        } catch (error) {
          if (!(error instanceof ConcurrencyConflict) || attempt === CONFLICT_ATTEMPTS) throw error;
          await delay(backOffMs(attempt++, CONFLICT_BACK_OFF));
        }
      } else if (fresh) {
        if (decision.accepted) return outcome;
        return { ...outcome, accepted: false, rejection: decision.rejection, detail: decision.detail ?? '' };
      }
      // A refusal may rest on a state that another process has moved on from: it counts on a fresh one only.
      known = await this.#catchUp(aggregate.id);
      fresh = true;
    }
  }

  async #append(
    aggregate: AggregateRef,
    events: readonly Event[],
    known: Known<State>,
    options: { readonly commandId: string; readonly metadata: Metadata },
  ): Promise<Appended> {
    crashPoint('before-publish');
    const appended = await this.#store.append(aggregate, events, {
      ...options,
      expectedPosition: known.position,
    });
    crashPoint('after-puback');
    if (appended.repeated) return appended;
    const { position } = appended;
    const steps = events.map(event => ({ event, position, commandId: options.commandId }));
    this.#cache.set(aggregate.id, this.#evolve(known, steps));
    return appended;
  }

  /** Reads what happened since the cached position. */
  async #catchUp(id: string): Promise<Known<State>> {
    const known = this.#cache.get(id) ?? {
      state: this.#decider.initialState,
      position: 0,
      commandIds: new Set<string>(),
    };
    const since = await this.#store.load({ type: this.#type, id }, known.position);
    if (since.length === 0) return known;
    const next = this.#evolve(known, (since as readonly Recorded<Event>[]).map(step));
    this.#cache.set(id, next);
    return next;
  }

  #evolve(
    known: Known<State>,
    steps: readonly { readonly event: Event; readonly position: number; readonly commandId: string }[],
  ): Known<State> {
    const { commandIds } = known;
    let { state, position } = known;
    for (const next of steps) {
      state = this.#decider.evolve(state, next.event);
      position = next.position;
      commandIds.add(next.commandId);
    }
    for (const oldest of commandIds) {
      if (commandIds.size <= REMEMBERED_COMMANDS) break;
      commandIds.delete(oldest);
    }
    return { state, position, commandIds };
  }
}

const step = <Event extends Message>({ event, position, metadata }: Recorded<Event>) => ({
  event,
  position,
  commandId: metadata.causationId,
});
