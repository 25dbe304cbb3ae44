/** A command or an event: a type name that is public API, and its payload. */
export type Message<Type extends string = string, Data = unknown> = {
  readonly type: Type;
  readonly data: Data;
};

export type Accepted<Event> = {
  readonly accepted: true;
  readonly events: readonly Event[];
  /** For a command that asks: the answer in JSON, at most 48 KiB of it. */
  readonly answer?: string;
};
export type Rejected<Rejection extends string> = {
  readonly accepted: false;
  readonly rejection: Rejection;
  /** What exactly was wrong, for the requester: names the field or the figures. */
  readonly detail?: string;
};
export type Decision<Event, Rejection extends string> = Accepted<Event> | Rejected<Rejection>;

/** Accepting with no events means that the command had already taken effect. */
export const accept = <Event>(...events: readonly Event[]): Accepted<Event> => ({ accepted: true, events });

/** What the state says to a command that asks and changes nothing. A bigint becomes a decimal string. */
export const answer = (value: unknown): Accepted<never> => ({
  accepted: true,
  events: [],
  answer: JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}` : part)),
});

export const reject = <Rejection extends string>(
  rejection: Rejection,
  detail?: string,
): Rejected<Rejection> =>
  detail === undefined ? { accepted: false, rejection } : { accepted: false, rejection, detail };

/** How a state is written down, so that a long history need not be read again from its beginning. */
export type SnapshotFormat<State> = {
  /** Grows whenever `State` or the meaning of an event for it changes: what another version wrote is not read. */
  readonly version: number;
  /** Earlier states are kept too, the sparser the older they are: of an aggregate that is asked what it once was. */
  readonly keepsEarlier?: true;
  encode(state: State): Uint8Array;
  decode(bytes: Uint8Array): State;
};

/**
 * The rules of one aggregate. Pure: no clock, no random, no I/O, so that a replay gives the same answer.
 * `decide` never changes `state`; `evolve` returns the next state and accepts every event ever recorded.
 *
 * A state that is too large to copy for each event may belong to `evolve`, which then changes it in place and
 * gives it back. Its decider makes `initialState` a getter that gives a new one, and whoever has loaded it reads
 * it at once: what was read counts until the next event.
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
  /** Without it every load reads the whole history that is not cached. */
  readonly snapshot?: SnapshotFormat<State>;
};

/** A decider whose types were forgotten, for tables that hold several. */
// Method parameters are compared bivariantly, which is what makes a table of unlike deciders expressible.
export type AnyDecider = Decider<unknown, Message, Message>;
