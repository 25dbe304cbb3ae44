/** A command or an event: a type name that is public API, and its payload. */
export type Message<Type extends string = string, Data = unknown> = {
  readonly type: Type;
  readonly data: Data;
};

export type Accepted<Event> = { readonly accepted: true; readonly events: readonly Event[] };
export type Rejected<Rejection extends string> = {
  readonly accepted: false;
  readonly rejection: Rejection;
  /** What exactly was wrong, for the requester: names the field or the figures. */
  readonly detail?: string;
};
export type Decision<Event, Rejection extends string> = Accepted<Event> | Rejected<Rejection>;

/** Accepting with no events means that the command had already taken effect. */
export const accept = <Event>(...events: readonly Event[]): Accepted<Event> => ({ accepted: true, events });

export const reject = <Rejection extends string>(
  rejection: Rejection,
  detail?: string,
): Rejected<Rejection> =>
  detail === undefined ? { accepted: false, rejection } : { accepted: false, rejection, detail };

/**
 * The rules of one aggregate. Pure: no clock, no random, no I/O, so that a replay gives the same answer.
 * `decide` never changes `state`; `evolve` returns the next state and accepts every event ever recorded.
 */
export type Decider<
  State,
  Command extends Message,
  Event extends Message,
  Rejection extends string = string,
> = {
  readonly initialState: State;
  decide(command: Command, state: State): Decision<Event, Rejection>;
  evolve(state: State, event: Event): State;
};

/** A decider whose types were forgotten, for tables that hold several. */
// Method parameters are compared bivariantly, which is what makes a table of unlike deciders expressible.
export type AnyDecider = Decider<unknown, Message, Message>;
