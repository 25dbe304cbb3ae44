import type { SnapshotFormat } from '@astro/event-sourcing/decider';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { Bus } from './bus.js';
import { reasonOf, silent, type Log } from './log.js';
import { assertToken } from './subjects.js';

const STREAM = 'KV_snapshots';
/** The bucket takes 1 MiB, in which the remembered commands and the text form need their room. */
export const MAX_SNAPSHOT_BYTES = 512 * 1_024;

export type Snapshot = {
  /** Of the decider's own format. */
  readonly version: number;
  /** Of the last event that is in the state. */
  readonly position: number;
  readonly eventId: string;
  /** Recent commands whose events are in the state, oldest first. */
  readonly commandIds: readonly string[];
  readonly state: Uint8Array;
};

type Written = Omit<Snapshot, 'state'> & { readonly state: string };

/**
 * States of aggregates, in a bucket. They only save reading: whatever is wrong with one, the events are
 * there.
 */
export class Snapshots {
  readonly #bus: Bus;
  readonly #log: Log;

  constructor(bus: Bus, log: Log = silent) {
    this.#bus = bus;
    this.#log = log;
  }

  /** Undefined when there is none that can be read. @throws Error when the server gives no answer */
  async read(aggregate: AggregateRef): Promise<Snapshot | undefined> {
    await this.#bus.ready();
    const found = await this.#bus.jsm.direct.getMessage(STREAM, { last_by_subj: subjectOf(aggregate) });
    if (!found) return undefined;
    try {
      const { state, ...written } = found.json<Written>();
      return { ...written, state: Buffer.from(state, 'base64') };
    } catch (error) {
      this.#log.warn('a snapshot cannot be read', { ...aggregate, reason: reasonOf(error) });
      return undefined;
    }
  }

  /** The state in a snapshot. Undefined when its bytes are not what the format writes. */
  decode<State>(
    aggregate: AggregateRef,
    snapshot: Snapshot,
    format: SnapshotFormat<State>,
  ): State | undefined {
    try {
      return format.decode(snapshot.state);
    } catch (error) {
      this.#log.warn('a snapshot cannot be decoded', { ...aggregate, reason: reasonOf(error) });
      return undefined;
    }
  }

  /** Never throws: what could not be written is logged. */
  async write(aggregate: AggregateRef, snapshot: Snapshot): Promise<void> {
    const written: Written = { ...snapshot, state: Buffer.from(snapshot.state).toString('base64') };
    try {
      await this.#bus.js.publish(subjectOf(aggregate), JSON.stringify(written));
    } catch (error) {
      this.#log.warn('a snapshot could not be written', { ...aggregate, reason: reasonOf(error) });
    }
  }
}

const subjectOf = ({ type, id }: AggregateRef): string => `$KV.snapshots.${type}.${assertToken(id)}`;
