import { deserialize, serialize } from 'node:v8';
import type { SnapshotFormat } from './decider.js';

/**
 * Writes a state down as it is in memory: records, lists, maps and sets in their order, bigints, dates, bytes. Not for
 * states that hold functions or instances of classes, which lose what they can do. What a later Node has written may be
 * unreadable to an earlier one, which then reads the events.
 * @param version grows whenever the state's type or the meaning of an event for it changes
 */
export const structured = <State>(version: number): SnapshotFormat<State> => ({
  version,
  encode: state => serialize(state),
  decode: bytes => deserialize(bytes) as State,
});
