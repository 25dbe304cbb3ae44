import { deepStrictEqual, fail } from 'node:assert/strict';
import type { Decider, Decision, Message } from './decider.js';

/**
 * Given/when/then for deciders:
 * `specify(job)(submitted, placed).when(placeOn('n1')).thenNothing()`.
 * Every check throws an AssertionError with both sides.
 */
export const specify =
  <State, Command extends Message, Event extends Message, Rejection extends string>(
    decider: Decider<State, Command, Event, Rejection>,
  ) =>
  (...history: readonly Event[]) => ({
    when(...commands: readonly Command[]) {
      const past = history.reduce(decider.evolve, decider.initialState);
      const { decision, state } = run(decider, past, commands);
      return {
        then: (...events: readonly Event[]) =>
          decision.accepted
            ? deepStrictEqual(decision.events, events)
            : fail(`refused: ${describe(decision)}`),
        thenNothing: () =>
          decision.accepted ? deepStrictEqual(decision.events, []) : fail(`refused: ${describe(decision)}`),
        thenRejected: (rejection: Rejection) =>
          decision.accepted
            ? fail(`accepted with ${decision.events.map(event => event.type).join(', ') || 'nothing'}`)
            : deepStrictEqual(decision.rejection, rejection),
        thenState: (check: (state: State) => void) => check(state),
      };
    },
  });

/** Decides the commands one after the other; the last decision counts. */
function run<State, Command extends Message, Event extends Message, Rejection extends string>(
  decider: Decider<State, Command, Event, Rejection>,
  past: State,
  commands: readonly Command[],
) {
  let state = past;
  let decision: Decision<Event, Rejection> = { accepted: true, events: [] };
  for (const command of commands) {
    decision = decider.decide(command, state);
    if (decision.accepted) state = decision.events.reduce(decider.evolve, state);
  }
  return { decision, state };
}

const describe = (decision: { rejection: string; detail?: string }) =>
  decision.detail === undefined ? decision.rejection : `${decision.rejection} (${decision.detail})`;
