import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { SnapshotFormat } from '@astro/event-sourcing/decider';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { StoredMsg } from '@nats-io/jetstream';
import { nuid } from '@nats-io/transport-node';
import { AtomicBatch } from './atomic-batch.js';
import type { Bus } from './bus.js';
import { readPage } from './direct-read.js';
import { slotOf } from './earlier-snapshots.js';
import { headerLine } from './headers.js';
import { reasonOf, silent, type Log } from './log.js';
import { assertToken } from './subjects.js';

const STREAM = 'SNAPSHOTS';
/** Well below the 1 MiB that a server takes in one message unless it is told otherwise. */
const MAX_PART_BYTES = 512 * 1_024;
/** 16 MiB; a state beyond it is not written down, and its events are read. */
const MAX_PARTS = 32;
/** Before it is compressed. */
const MAX_STATE_BYTES = 128 * 1_024 * 1_024;
const PAGE_SIZE = MAX_PARTS;

const ID = 'Astro-Snapshot-Id';
const PARTS = 'Astro-Snapshot-Parts';
const POSITION = 'Astro-Snapshot-Position';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

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

/**
 * States of aggregates, in a stream that keeps the last one of each, and some earlier ones where that is wanted:
 * compressed, in parts that are written together. They only save reading: whatever is wrong with one, the events are
 * there.
 */
export class Snapshots {
  readonly #bus: Bus;
  readonly #log: Log;

  constructor(bus: Bus, log: Log = silent) {
    this.#bus = bus;
    this.#log = log;
  }

  /** The last one. Undefined when there is none that can be read. @throws Error when the server gives no answer */
  read(aggregate: AggregateRef): Promise<Snapshot | undefined> {
    return this.#readUnder(aggregate, subjectOf(aggregate));
  }

  /**
   * Those that are kept of an aggregate as of a position or before it, the newest first; what cannot be read is left
   * out. @throws Error when the server gives no answer
   */
  async *readBefore(aggregate: AggregateRef, position: number): AsyncGenerator<Snapshot> {
    const subject = subjectOf(aggregate);
    const firstParts = [
      ...(await this.#messages(`${subject}.0`)),
      ...(await this.#messages(`${subject}.*.0`)),
    ];
    const found = firstParts
      .map(part => ({ under: part.subject.slice(0, -'.0'.length), position: positionIn(part) }))
      .filter(kept => kept.position <= position)
      .sort((left, right) => right.position - left.position);
    for (const { under } of found) {
      const snapshot = await this.#readUnder(aggregate, under);
      // A newer one may have taken its place since.
      if (snapshot && snapshot.position <= position) yield snapshot;
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

  /**
   * Never throws: what could not be written, or is too large, is logged.
   * @param lastPosition of the state that was written down last, where some are to stay beside the last one
   */
  async write(aggregate: AggregateRef, snapshot: Snapshot, lastPosition?: number): Promise<void> {
    try {
      const stateBytes = snapshot.state.byteLength;
      const fits = stateBytes <= MAX_STATE_BYTES;
      const bytes = fits ? await compress(serialize(snapshot)) : undefined;
      if (!bytes || bytes.byteLength > MAX_PARTS * MAX_PART_BYTES) {
        this.#log.warn('a state is too large for a snapshot', { ...aggregate, stateBytes });
        return;
      }
      const { position } = snapshot;
      await this.#writeUnder(subjectOf(aggregate), bytes, position);
      const slot = lastPosition === undefined ? undefined : slotOf(lastPosition, position);
      if (slot !== undefined) await this.#writeUnder(`${subjectOf(aggregate)}.${slot}`, bytes, position);
    } catch (error) {
      this.#log.warn('a snapshot could not be written', { ...aggregate, reason: reasonOf(error) });
    }
  }

  async #writeUnder(subject: string, bytes: Buffer, position: number): Promise<void> {
    const parts = Math.ceil(bytes.byteLength / MAX_PART_BYTES);
    const headers =
      headerLine(ID, nuid.next()) + headerLine(PARTS, String(parts)) + headerLine(POSITION, String(position));
    const batch = new AtomicBatch(this.#bus);
    for (let part = 0; part < parts; part++) {
      const data = bytes.subarray(part * MAX_PART_BYTES, (part + 1) * MAX_PART_BYTES);
      batch.add({ subject: `${subject}.${part}`, data, headers });
    }
    await batch.commit();
  }

  async #readUnder(aggregate: AggregateRef, subject: string): Promise<Snapshot | undefined> {
    const messages = await this.#messages(`${subject}.*`);
    const last = messages.at(-1);
    if (!last) return undefined;
    try {
      const id = last.header.get(ID);
      // A larger one, written before, has left parts behind that nothing has replaced.
      const parts = messages.filter(({ header }) => header.get(ID) === id);
      if (parts.length !== Number(last.header.get(PARTS))) throw new Error('parts of it are missing');
      const bytes = await decompress(Buffer.concat(parts.map(({ data }) => data)), {
        maxOutputLength: 2 * MAX_STATE_BYTES,
      });
      return snapshotIn(deserialize(bytes));
    } catch (error) {
      this.#log.warn('a snapshot cannot be read', { ...aggregate, reason: reasonOf(error) });
      return undefined;
    }
  }

  /** In the order in which they were written: what was written last comes last. */
  async #messages(next_by_subj: string): Promise<readonly StoredMsg[]> {
    const messages: StoredMsg[] = [];
    for (let seq = 1; ;) {
      const page = await readPage(this.#bus, STREAM, { seq, batch: PAGE_SIZE, next_by_subj });
      messages.push(...page);
      const last = page.at(-1);
      if (!last || last.pending === 0) return messages;
      seq = last.seq + 1;
    }
  }
}

/** Infinite for one of before positions were written beside it: it is found by nobody who asks for earlier ones. */
const positionIn = ({ header }: StoredMsg): number => Number(header.get(POSITION) || Infinity);

function snapshotIn(found: unknown): Snapshot {
  const { version, position, eventId, commandIds, state } = found as Partial<Snapshot>;
  if (version === undefined || position === undefined || eventId === undefined || !commandIds || !state) {
    throw new Error('it lacks what every snapshot has');
  }
  return { version, position, eventId, commandIds, state };
}

const subjectOf = ({ type, id }: AggregateRef): string => `snapshot.${type}.${assertToken(id)}`;
