import { JetStreamApiError, type StreamInfo } from '@nats-io/jetstream';
import { Empty } from '@nats-io/transport-node';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';
import { backupOf, type MessageBatches } from './stream-backup.js';
import { ensureStreams } from './streams.js';

const STREAM_NOT_FOUND = 10059;
/** Below the smallest `max_payload` that servers are run with, 1 MiB. */
const CHUNK_BYTES = 512 * 1_024;
/** After the last piece the server reads the whole stream once. */
const COMPLETION_TIMEOUT_MS = 10 * 60_000;

export type StreamBounds = {
  readonly messages: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
};

/** Undefined when there is no such stream. */
export async function boundsOf(bus: Bus, stream: string): Promise<StreamBounds | undefined> {
  const info = await infoOf(bus, stream);
  if (!info) return undefined;
  const { messages, first_seq: firstSequence, last_seq: lastSequence } = info.state;
  return { messages, firstSequence, lastSequence };
}

async function infoOf(bus: Bus, stream: string): Promise<StreamInfo | undefined> {
  try {
    await bus.ready();
    return await bus.jsm.streams.info(stream);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/**
 * Makes one of the platform's streams, absent or empty, out of messages: with their sequences, times, subjects,
 * headers and payloads. Nothing may publish to it meanwhile. Its consumers are gone; lanes make theirs again.
 * @throws Error when the stream has ever held a message, or the server refuses
 */
export async function restoreStream(
  bus: Bus,
  stream: string,
  batches: MessageBatches,
): Promise<StreamBounds> {
  // The definitions are in one place; an empty stream is the simplest way to learn what the server makes of them.
  await ensureStreams(bus);
  const empty = await infoOf(bus, stream);
  if (!empty) throw new Error(`${stream} is not a stream of the platform`);
  if (empty.state.last_seq > 0) throw new Error(`${stream} has held messages: it is not restored over`);
  await bus.jsm.streams.delete(stream);
  try {
    const pieces = backupOf(stream, empty.config, new Date(empty.created), batches);
    await transfer(bus, `$JS.API.STREAM.RESTORE.${stream}`, { config: empty.config, state: {} }, pieces);
  } catch (cause) {
    // The server discards what it had received; the stream is left as it was found.
    await ensureStreams(bus);
    throw new Error(`${stream} could not be restored`, { cause });
  }
  const bounds = await boundsOf(bus, stream);
  if (!bounds) throw new Error(`${stream} is not there after its restoration`);
  return bounds;
}

type Answer = {
  readonly deliver_subject?: string;
  readonly error?: { code: number; err_code: number; description: string };
};

/** Each piece is acknowledged by an empty answer, or by the reason why there is no use in sending more. */
async function transfer(
  bus: Bus,
  subject: string,
  request: object,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const ask = async (
    to: string,
    data: Uint8Array | string,
    timeout = REQUEST_TIMEOUT_MS,
  ): Promise<Answer> => {
    const answer = await bus.connection.request(to, data, { timeout });
    const told = answer.data.length === 0 ? {} : answer.json<Answer>();
    if (told.error) throw new JetStreamApiError(told.error);
    return told;
  };
  const { deliver_subject: destination } = await ask(subject, JSON.stringify(request));
  if (destination === undefined) throw new Error('the server does not say where a backup goes');
  for await (const chunk of inChunks(pieces)) await ask(destination, chunk);
  await ask(destination, Empty, COMPLETION_TIMEOUT_MS);
}

async function* inChunks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting);
    [waiting, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
