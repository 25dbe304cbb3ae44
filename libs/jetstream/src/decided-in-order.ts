import { accept, type Decider, type Decision, type Message } from '@astro/event-sourcing/decider';
import type { Outcome } from '@astro/messages/runtime';
import type { Origin } from './event-store.js';

/** How much of what waits for one aggregate is decided at a time; the least is one command. */
const MAX_EVENTS = 512;
/** A process has more to do than this one aggregate. */
const MAX_DECIDING_MS = 20;

/** A command, its decision, and what that adds to the history: nothing when it was recorded before. */
export type DecidedCommand<Asked, Event, Rejection extends string> = {
  readonly asked: Asked;
  readonly decision: Decision<Event, Rejection>;
  readonly events: readonly Event[];
};

/**
 * Decides commands one right after the other, each on the state that the ones before it lead to.
 * @param state changed in place if the decider does so
 * @param commandIds of what the state has seen; those that lead to events are added
 * @returns how far it came within the limits, the state after that, and how many events lead there
 */
export function decideInOrder<
  State,
  Command extends Message,
  Event extends Message,
  Rejection extends string,
  Asked extends Origin & { readonly command: Command },
>(
  decider: Decider<State, Command, Event, Rejection>,
  before: { readonly state: State; readonly commandIds: Set<string> },
  taken: readonly Asked[],
) {
  const decided: DecidedCommand<Asked, Event, Rejection>[] = [];
  const { commandIds } = before;
  const startedMs = performance.now();
  let { state } = before;
  let count = 0;
  for (const asked of taken) {
    const isRepeated = commandIds.has(asked.commandId);
    const decision = isRepeated ? accept<Event>() : decider.decide(asked.command, state);
    const events = decision.accepted ? decision.events : [];
    if (count > 0 && count + events.length > MAX_EVENTS) break;
    for (const event of events) state = decider.evolve(state, event);
    if (events.length > 0) commandIds.add(ownText(asked.commandId));
    count += events.length;
    decided.push({ asked, decision, events });
    if (performance.now() - startedMs > MAX_DECIDING_MS) break;
  }
  return { decided, state, count };
}

/** A part of a text keeps the whole of it in memory, which here is everything that a message's headers say. */
export const ownText = (text: string): string => Buffer.from(text).toString();

/** What became of a command, as its requester hears it. */
export function outcomeOf(
  commandId: string,
  decision: Decision<unknown, string>,
  { position, changed }: { readonly position: number; readonly changed: boolean },
): Outcome {
  const outcome = { commandId, accepted: decision.accepted, rejection: '', detail: '', position, changed };
  if (!decision.accepted) {
    return { ...outcome, rejection: decision.rejection, detail: decision.detail ?? '' };
  }
  return decision.answer === undefined ? outcome : { ...outcome, answer: decision.answer };
}
