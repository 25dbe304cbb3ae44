import type { Decider, Message } from '@astro/event-sourcing/decider';
import type { AggregateRef, AggregateType, Metadata, Recorded } from '@astro/event-sourcing/recorded';
import type { Outcome } from '@astro/messages/runtime';
import { LRUCache } from 'lru-cache';
import { crashPoint } from './crash-point.js';
import { backOffMs, delay } from './delay.js';
import { ConcurrencyConflict, type Appended, type EventStore } from './event-store.js';
import { KeyedQueue } from './keyed-queue.js';
import type { Snapshots } from './snapshots.js';

const DEFAULT_CACHE_SIZE = 1_000;
/**
 * Commands remembered of one cached aggregate, and of all of them together, which share them evenly; beyond them,
 * deciders accept a repeated command as nothing to do.
 */
const REMEMBERED_COMMANDS = { ofOneMin: 128, ofOneMax: 4_096, ofAll: 131_072 };
const CONFLICT_ATTEMPTS = 10;
const CONFLICT_BACK_OFF = { baseMs: 5, maxMs: 250 };

/** Reading this many events costs about as much as reading a snapshot. */
const EVENTS_BETWEEN_SNAPSHOTS = 500;

export type AggregateStoreOptions = {
  /** Aggregates whose state is kept in memory: 1,000 unless told. */
  readonly cacheSize?: number;
  /** Where states are kept between processes, for deciders that say how to write them down. */
  readonly snapshots?: Snapshots;
  /** Events of one aggregate after which its state is written down again: 500 unless told. */
  readonly eventsBetweenSnapshots?: number;
};

type Known<State> = {
  readonly state: State;
  readonly position: number;
  /** Of the event at `position`; empty when there is none. */
  readonly eventId: string;
  /** Events since the state was last written down. */
  readonly unsaved: number;
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
  readonly #snapshots: Snapshots | undefined;
  readonly #eventsBetweenSnapshots: number;

  constructor(
    store: EventStore,
    type: AggregateType,
    decider: Decider<State, Command, Event, Rejection>,
    options: AggregateStoreOptions = {},
  ) {
    this.#store = store;
    this.#type = type;
    this.#decider = decider;
    this.#cache = new LRUCache({ max: options.cacheSize ?? DEFAULT_CACHE_SIZE });
    this.#snapshots = decider.snapshot && options.snapshots;
    this.#eventsBetweenSnapshots = options.eventsBetweenSnapshots ?? EVENTS_BETWEEN_SNAPSHOTS;
  }

  /**
   * The aggregate as of now, with the position of its last event (0 when it has none). A state that its decider
   * changes in place is to be read before anything else is awaited.
   */
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
        if (decision.accepted)
          return decision.answer === undefined ? outcome : { ...outcome, answer: decision.answer };
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
    const { position, eventIds } = appended;
    const { commandId } = options;
    const steps = events.map((event, index) => ({ id: eventIds[index]!, event, position, commandId }));
    this.#keep(aggregate.id, this.#evolve(aggregate.id, known, steps));
    return appended;
  }

  /** Reads what happened since the cached position, or else the whole history, by way of a snapshot if it is long. */
  async #catchUp(id: string): Promise<Known<State>> {
    const cached = this.#cache.get(id);
    if (cached) return this.#advance(id, cached, await this.#load(id, cached.position));
    if (!this.#snapshots) return this.#advance(id, this.#beginning(), await this.#load(id, 0));
    // A history that is shorter than the distance between snapshots has none, so nobody asks for one.
    const aggregate = { type: this.#type, id };
    const { events, isAll } = await this.#store.loadSome(aggregate, 0, this.#eventsBetweenSnapshots);
    const found = isAll ? undefined : await this.#fromSnapshot(id);
    if (found) return found;
    const rest = isAll ? [] : await this.#load(id, events.at(-1)!.position);
    return this.#advance(id, this.#beginning(), [...(events as readonly Recorded<Event>[]), ...rest]);
  }

  #advance(id: string, known: Known<State>, since: readonly Recorded<Event>[]): Known<State> {
    return since.length === 0 ? known : this.#keep(id, this.#evolve(id, known, since.map(step)));
  }

  #beginning(): Known<State> {
    const { initialState: state } = this.#decider;
    return { state, position: 0, eventId: '', unsaved: 0, commandIds: new Set() };
  }

  async #load(id: string, afterPosition: number): Promise<readonly Recorded<Event>[]> {
    return (await this.#store.load({ type: this.#type, id }, afterPosition)) as readonly Recorded<Event>[];
  }

  /**
   * What a snapshot says, brought up to date. Undefined when there is none of this version, or when the event
   * that it ends with is not in the stream: then the stream is right.
   */
  async #fromSnapshot(id: string): Promise<Known<State> | undefined> {
    const format = this.#decider.snapshot;
    const found = format && (await this.#snapshots?.read({ type: this.#type, id }));
    if (!format || found?.version !== format.version) return undefined;
    const { position, eventId, commandIds } = found;
    const [last, ...since] = await this.#load(id, position - 1);
    if (last?.position !== position || last.id !== eventId) return undefined;
    const state = this.#snapshots!.decode({ type: this.#type, id }, found, format);
    if (state === undefined) return undefined;
    const known = { state, position, eventId, unsaved: 0, commandIds: new Set(commandIds) };
    return this.#keep(id, this.#evolve(id, known, since.map(step)));
  }

  /** Remembers the state, and writes it down when enough has happened since the last time. */
  #keep(id: string, known: Known<State>): Known<State> {
    const isDue = this.#snapshots !== undefined && known.unsaved >= this.#eventsBetweenSnapshots;
    const kept = isDue ? { ...known, unsaved: 0 } : known;
    this.#cache.set(id, kept);
    if (isDue) this.#writeDown(id, kept);
    return kept;
  }

  /** Not awaited: a snapshot that fails is missed by nobody, and a later one takes its place. */
  #writeDown(id: string, { state, position, eventId, commandIds }: Known<State>): void {
    const { version, encode } = this.#decider.snapshot!;
    const bytes = encode(state);
    const snapshot = { version, position, eventId, commandIds: [...commandIds], state: bytes };
    void this.#snapshots!.write({ type: this.#type, id }, snapshot);
  }

  /**
   * The cache lets go of the aggregate meanwhile, because its state may be changed in place: when an event throws
   * half-way, the next load begins from what is recorded.
   */
  #evolve(id: string, known: Known<State>, steps: readonly Step<Event>[]): Known<State> {
    this.#cache.delete(id);
    const { commandIds } = known;
    let { state, position, eventId } = known;
    for (const next of steps) {
      state = this.#decider.evolve(state, next.event);
      position = next.position;
      eventId = next.id;
      commandIds.add(ownText(next.commandId));
    }
    const share = Math.floor(REMEMBERED_COMMANDS.ofAll / Math.max(1, this.#cache.size));
    const limit = Math.min(Math.max(share, REMEMBERED_COMMANDS.ofOneMin), REMEMBERED_COMMANDS.ofOneMax);
    for (const oldest of commandIds) {
      if (commandIds.size <= limit) break;
      commandIds.delete(oldest);
    }
    return { state, position, eventId, unsaved: known.unsaved + steps.length, commandIds };
  }
}

/** A part of a text keeps the whole of it in memory, which here is everything that a message's headers say. */
const ownText = (text: string): string => Buffer.from(text).toString();

type Step<Event extends Message> = {
  readonly id: string;
  readonly event: Event;
  readonly position: number;
  readonly commandId: string;
};

const step = <Event extends Message>({ id, event, position, metadata }: Recorded<Event>): Step<Event> => ({
  id,
  event,
  position,
  commandId: metadata.causationId,
});
