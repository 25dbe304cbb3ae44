import type { Message } from './decider.js';
import type { AggregateRef, AggregateType, Recorded } from './recorded.js';

/** A command on its way to one aggregate of any context. */
export type Directed<Command extends Message = Message> = { readonly to: AggregateRef } & Command;

/**
 * Turns an event into commands. Pure: the ids of the commands are derived from the event's id and the reactor's
 * name, so that a redelivery repeats the same commands and changes nothing.
 */
export type Reactor<Event extends Message = Message, Command extends Message = Message> = {
  /** `<context>.<what-it-does>`: names the consumer. */
  readonly name: string;
  /** The aggregates it reads; all of one context. */
  readonly reads: readonly [AggregateType, ...AggregateType[]];
  react(recorded: Recorded<Event>): readonly Directed<Command>[];
  /**
   * What follows from one event may overtake what follows from another of the same aggregate. Without it, all events
   * of one busy aggregate wait for each other.
   */
  readonly isUnordered?: true;
};

/**
 * Turns runs of events into few commands: at most one for each aggregate, whatever happened meanwhile. A run begins
 * after the last one whose commands were all accepted, and leaves nothing out. After a crash the same events come in
 * other runs: who receives the commands tells by the positions what it has already taken.
 */
export type GatheringReactor<Event extends Message = Message, Command extends Message = Message> = {
  /** `<context>.<what-it-does>`: names the consumer. */
  readonly name: string;
  readonly reads: AggregateType;
  /** The events it gathers. */
  readonly gathers: readonly [Event['type'], ...Event['type'][]];
  /** Commands of which no two go to the same aggregate. */
  reactToAll(run: readonly Recorded<Event>[]): readonly Directed<Command>[];
};
