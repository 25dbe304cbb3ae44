import { JetStreamApiError } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import type { Headers } from './headers.js';

const WRONG_LAST_SEQUENCE = 10071;
const WRONG_LAST_SEQUENCE_UNKNOWN = 10164;

/** What a key of a bucket holds; `revision` is 0 where nothing was ever written. */
export type KeyState = { readonly value: string | undefined; readonly revision: number };

/** The subject's last message, as the leader has it: a key that expired or was deleted has no value. */
export async function readKey(bus: Bus, stream: string, subject: string): Promise<KeyState> {
  const last = await bus.jsm.streams.getMessage(stream, { last_by_subj: subject });
  if (!last) return { value: undefined, revision: 0 };
  const { header, seq } = last;
  return { value: isMarker(header) ? undefined : last.string(), revision: seq };
}

/** A message that stands where a value was deleted or has expired. */
export const isMarker = (header: { has(name: string): boolean }): boolean =>
  header.has('KV-Operation') || header.has('Nats-Marker-Reason');

export type KeyWrite = {
  /** Of the value that the new one replaces; 0 for none. */
  readonly expectedRevision: number;
  /** After which it vanishes by itself; the server counts in seconds, rounded up here. Never unless told. */
  readonly ttlMs?: number;
  /** Headers to write beside it. */
  readonly fields?: Headers;
};

/**
 * Writes a key if it has not changed since; gives the new revision, or undefined when it has.
 * @throws Error when the server gives no answer
 */
export async function writeKey(
  bus: Bus,
  subject: string,
  value: string | Uint8Array,
  { expectedRevision: lastSubjectSequence, ttlMs, fields }: KeyWrite,
): Promise<number | undefined> {
  return unlessMoved(async () => {
    const { seq } = await bus.js.publish(subject, value, {
      expect: { lastSubjectSequence },
      ...(ttlMs !== undefined && { ttl: `${Math.ceil(ttlMs / 1_000)}s` }),
      ...(fields && { headers: headersOf(fields) }),
    });
    return seq;
  });
}

/** Deletes a key if it has not changed since. @throws Error when the server gives no answer */
export async function deleteKey(bus: Bus, subject: string, expectedRevision: number): Promise<void> {
  await unlessMoved(() =>
    bus.js.publish(subject, undefined, {
      headers: headersOf({ 'KV-Operation': 'DEL' }),
      expect: { lastSubjectSequence: expectedRevision },
    }),
  );
}

function headersOf(fields: Headers): MsgHdrs {
  const written = headers();
  for (const [name, value] of Object.entries(fields)) written.set(name, value);
  return written;
}

async function unlessMoved<T>(write: () => Promise<T>): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    if (error.code !== WRONG_LAST_SEQUENCE && error.code !== WRONG_LAST_SEQUENCE_UNKNOWN) throw error;
    return undefined;
  }
}
