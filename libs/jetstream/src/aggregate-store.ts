import { accept, type Decider, type Message } from '@astro/event-sourcing/decider';
import type { AggregateRef, AggregateType, Recorded } from '@astro/event-sourcing/recorded';
import type { Outcome } from '@astro/messages/runtime';
import { LRUCache } from 'lru-cache';
import { crashPoint } from './crash-point.js';
import { backOffMs, delay } from './delay.js';
import { decideInOrder, outcomeOf, ownText, type DecidedCommand } from './decided-in-order.js';
import {
  ConcurrencyConflict,
  Unanswered,
  type Appended,
  type EventStore,
  type Origin,
} from './event-store.js';
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

/** Commands of one aggregate that are decided one right after the other and recorded in one append. */
const MAX_TOGETHER = 256;

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
  /** Of the state that was written down last. */
  readonly savedPosition: number;
  /**
   * Commands whose events the aggregate already has, oldest first. Grows in place: each aggregate is served
   * serially.
   */
  readonly commandIds: Set<string>;
};

/** A command whose turn has not come. */
type Asked<Command> = Origin & {
  readonly command: Command;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
};

/** What is left of the commands that were taken: those to be decided one by one, and those for the next time. */
type Turns<Command> = {
  readonly alone: readonly Asked<Command>[];
  readonly later: readonly Asked<Command>[];
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
  /** By aggregate; it has an entry for as long as somebody serves what it holds. */
  readonly #asked = new Map<string, Asked<Command>[]>();
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
   * without events. A lost race is decided again on the new state. Commands of one aggregate are decided in the order
   * in which they come; those that come while others are being written share the next append.
   * @throws ConcurrencyConflict when it lost the race every time; Error when the event store gives no
   * answer
   */
  execute(id: string, command: Command, { commandId, metadata }: Origin): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const asked = { command, commandId, metadata, resolve, reject };
      const waiting = this.#asked.get(id);
      if (waiting) return void waiting.push(asked);
      this.#asked.set(id, [asked]);
      void this.#queue.run(id, () => this.#serve({ type: this.#type, id }));
    });
  }

  async #serve(aggregate: AggregateRef): Promise<void> {
    const waiting = this.#asked.get(aggregate.id)!;
    const taken = waiting.splice(0, MAX_TOGETHER);
    const { alone, later } =
      taken.length > 1 ? await this.#together(aggregate, taken) : { alone: taken, later: [] };
    for (const asked of alone) {
      await this.#execute(aggregate, asked).then(asked.resolve, asked.reject);
    }
    waiting.unshift(...later);
    if (waiting.length === 0) this.#asked.delete(aggregate.id);
    else void this.#queue.run(aggregate.id, () => this.#serve(aggregate));
  }

  /**
   * Decides several commands and records what follows from them in one append. That nobody recorded anything in between
   * confirms what each was decided on, the refused ones too. Whatever goes wrong, the state is read again, and each
   * command meets its own fate by itself.
   */
  async #together(aggregate: AggregateRef, taken: readonly Asked<Command>[]): Promise<Turns<Command>> {
    const { id } = aggregate;
    try {
      const known = this.#cache.get(id) ?? (await this.#catchUp(id));
      this.#cache.delete(id);
      const { decided, state, count } = decideInOrder(this.#decider, known, taken);
      const last = await this.#record(aggregate, { ...known, state }, decided, count);
      if (last === undefined) return { alone: taken, later: [] };
      let events = 0;
      for (const { asked, decision, events: made } of decided) {
        events += made.length;
        const position = events === 0 ? known.position : last - count + events;
        asked.resolve(outcomeOf(asked.commandId, decision, { position, changed: made.length > 0 }));
      }
      return { alone: [], later: taken.slice(decided.length) };
    } catch (error) {
      this.#cache.delete(id);
      if (!(error instanceof Unanswered)) return { alone: taken, later: [] };
      for (const asked of taken) asked.reject(error);
      return { alone: [], later: [] };
    }
  }

  /**
   * @param known the position before the events, the state after them
   * @returns position of the last event; undefined when somebody else has recorded something, so that nothing counts
   */
  async #record(
    aggregate: AggregateRef,
    known: Known<State>,
    decided: readonly DecidedCommand<Asked<Command>, Event, Rejection>[],
    count: number,
  ): Promise<number | undefined> {
    const { id } = aggregate;
    if (count === 0) {
      this.#cache.set(id, known);
      return (await this.#catchUp(id)).position === known.position ? known.position : undefined;
    }
    const made = decided
      .filter(({ events }) => events.length > 0)
      .map(({ asked: { commandId, metadata }, events }) => ({ commandId, metadata, events }));
    crashPoint('before-publish');
    const { position, eventIds, repeated } = await this.#store.appendTogether(
      aggregate,
      made,
      known.position,
    );
    crashPoint('after-puback');
    if (repeated) return undefined;
    this.#forgetCommands(known.commandIds);
    this.#keep(id, { ...known, position, eventId: eventIds.at(-1)!, unsaved: known.unsaved + count });
    return position;
  }

  async #execute(aggregate: AggregateRef, { command, ...origin }: Asked<Command>): Promise<Outcome> {
    const { commandId } = origin;
    const cached = this.#cache.get(aggregate.id);
    let known = cached ?? (await this.#catchUp(aggregate.id));
    let fresh = cached === undefined;
    for (let attempt = 1; ;) {
      const { position } = known;
      if (known.commandIds.has(commandId))
        return outcomeOf(commandId, accept(), { position, changed: false });
      const decision = this.#decider.decide(command, known.state);
      if (decision.accepted && decision.events.length > 0) {
        try {
          const { position, repeated } = await this.#append(aggregate, decision.events, known, origin);
          return outcomeOf(commandId, decision, { position, changed: !repeated });
        } catch (error) {
          if (!(error instanceof ConcurrencyConflict) || attempt === CONFLICT_ATTEMPTS) throw error;
          await delay(backOffMs(attempt++, CONFLICT_BACK_OFF));
        }
      } else if (fresh) {
        return outcomeOf(commandId, decision, { position, changed: false });
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
    origin: Origin,
  ): Promise<Appended> {
    crashPoint('before-publish');
    const appended = await this.#store.append(aggregate, events, {
      ...origin,
      expectedPosition: known.position,
    });
    crashPoint('after-puback');
    if (appended.repeated) return appended;
    const { position, eventIds } = appended;
    const { commandId } = origin;
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
    return { state, position: 0, eventId: '', unsaved: 0, savedPosition: 0, commandIds: new Set() };
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
    const known = {
      state,
      position,
      eventId,
      unsaved: 0,
      savedPosition: position,
      commandIds: new Set(commandIds),
    };
    return this.#keep(id, this.#evolve(id, known, since.map(step)));
  }

  /** Remembers the state, and writes it down when enough has happened since the last time. */
  #keep(id: string, known: Known<State>): Known<State> {
    const isDue = this.#snapshots !== undefined && known.unsaved >= this.#eventsBetweenSnapshots;
    const kept = isDue ? { ...known, unsaved: 0, savedPosition: known.position } : known;
    this.#cache.set(id, kept);
    if (isDue) this.#writeDown(id, known);
    return kept;
  }

  /** Not awaited: a snapshot that fails is missed by nobody, and a later one takes its place. */
  #writeDown(id: string, { state, position, eventId, savedPosition, commandIds }: Known<State>): void {
    const { version, keepsEarlier, encode } = this.#decider.snapshot!;
    const bytes = encode(state);
    const snapshot = { version, position, eventId, commandIds: [...commandIds], state: bytes };
    void this.#snapshots!.write({ type: this.#type, id }, snapshot, keepsEarlier && savedPosition);
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
    this.#forgetCommands(commandIds);
    return { ...known, state, position, eventId, unsaved: known.unsaved + steps.length };
  }

  /** The oldest beyond the aggregate's share. */
  #forgetCommands(commandIds: Set<string>): void {
    const share = Math.floor(REMEMBERED_COMMANDS.ofAll / Math.max(1, this.#cache.size));
    const limit = Math.min(Math.max(share, REMEMBERED_COMMANDS.ofOneMin), REMEMBERED_COMMANDS.ofOneMax);
    for (const oldest of commandIds) {
      if (commandIds.size <= limit) break;
      commandIds.delete(oldest);
    }
  }
}

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
