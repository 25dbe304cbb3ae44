import { JetStreamApiError } from '@nats-io/jetstream';
import { nuid } from '@nats-io/transport-node';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';
import { messageHeaders, type Headers } from './headers.js';

/** The server takes at most this many messages in one atomic batch. */
export const MAX_BATCH_MESSAGES = 1_000;
/** Part of the batch was lost on its way, so nothing of it was stored. */
export const BATCH_INCOMPLETE = 10176;

export type Outgoing = { readonly subject: string; readonly data: Uint8Array; readonly headers: Headers };

export type Stored = {
  /** Sequence of the last of the messages; those before it have the sequences right before. */
  readonly seq: number;
  /** The message, which was alone, had been stored before under this id. */
  readonly duplicate?: boolean;
};

type Ack = Stored & {
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
};

/**
 * Stores all of the messages, side by side in one stream, or none of them.
 * @throws JetStreamApiError when the server refuses; any other Error when it gave no answer, which leaves
 * open what became of them
 */
export async function publishTogether(bus: Bus, messages: readonly Outgoing[]): Promise<Stored> {
  if (!bus.isUp) await bus.ready();
  const { connection } = bus;
  const last = messages.length - 1;
  const batchId = last > 0 ? nuid.next() : undefined;
  for (let index = 0; index < last; index++) {
    const { subject, data, headers } = messages[index]!;
    connection.publish(subject, data, { headers: messageHeaders(inBatch(headers, batchId, index)) });
  }
  const { subject, data, headers } = messages[last]!;
  const commit = batchId ? { ...inBatch(headers, batchId, last), 'Nats-Batch-Commit': '1' } : headers;
  const answer = await connection.request(subject, data, {
    headers: messageHeaders(commit),
    timeout: REQUEST_TIMEOUT_MS,
  });
  const ack = answer.json<Ack>();
  if (ack.error) throw new JetStreamApiError(ack.error);
  return ack;
}

const inBatch = (headers: Headers, batchId: string | undefined, index: number): Headers => ({
  ...headers,
  'Nats-Batch-Id': batchId!,
  'Nats-Batch-Sequence': String(index + 1),
});
