import { createInbox, type Msg } from '@nats-io/transport-node';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';
import { headerBlockOf, headersIn } from './received.js';

/** A message exactly as a stream stores it. */
export type StoredMessage = {
  readonly sequence: number;
  readonly subject: string;
  /** The block as it was published, from `NATS/1.0` to the empty line; no bytes when there is none. */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
  /** The stream's own clock: nanoseconds since 1970. */
  readonly recordedAtNanos: bigint;
};

export const MAX_STORED_PAGE = 1_000;
/**
 * Of one page, the last message excepted. More than the largest message, so that a page holds at least two messages
 * when there are two.
 */
const MAX_PAGE_BYTES = 5 * 1_024 * 1_024;

const END_OF_BATCH = 204;
const NOTHING_FOUND = 404;
const reasons: Readonly<Record<number, string>> = {
  408: 'the server did not understand the request',
  503: 'it is not there, or allows no direct reads',
};

/**
 * Messages of a stream above `afterSequence`, oldest first, byte for byte; none when there are no more. A page may
 * hold less than `limit`.
 */
export async function readStored(
  bus: Bus,
  stream: string,
  afterSequence: number,
  limit = MAX_STORED_PAGE,
): Promise<readonly StoredMessage[]> {
  await bus.ready();
  const { connection } = bus;
  const inbox = createInbox();
  const messages: StoredMessage[] = [];
  return new Promise((resolve, reject) => {
    const end = (failure?: Error) => {
      clearTimeout(timer);
      subscription.unsubscribe();
      if (failure) reject(failure);
      else resolve(messages);
    };
    const timer = setTimeout(
      () => end(new Error(`no answer to a read of ${stream} within ${REQUEST_TIMEOUT_MS} ms`)),
      REQUEST_TIMEOUT_MS,
    );
    const subscription = connection.subscribe(inbox, {
      callback(error, message) {
        const code = message.headers?.code ?? 0;
        if (error) end(error);
        else if (code === END_OF_BATCH || code === NOTHING_FOUND) end();
        else if (code !== 0) end(new Error(`${stream} could not be read: ${reasons[code] ?? code}`));
        else messages.push(storedMessageOf(message));
      },
    });
    const page = { seq: afterSequence + 1, batch: limit, max_bytes: MAX_PAGE_BYTES };
    connection.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(page), { reply: inbox });
  });
}

/** What a read adds to a message's headers begins here; a header's value holds no line breaks. */
const ADDED_BY_READ = Buffer.from('\r\nNats-Stream: ');
const END_OF_HEADERS = Buffer.from('\r\n\r\n');
const VERSION_LINE = 'NATS/1.0';

function storedMessageOf(message: Msg): StoredMessage {
  const block = headerBlockOf(message);
  const headers = headersIn(block);
  const added = block.lastIndexOf(ADDED_BY_READ);
  if (added < 0) throw new Error('the answer to a read does not say where the message is from');
  const written = block.subarray(0, added);
  const isBare = written.length === VERSION_LINE.length;
  return {
    sequence: Number(headers['Nats-Sequence']),
    subject: headers['Nats-Subject']!,
    headers: isBare ? new Uint8Array() : Buffer.concat([written, END_OF_HEADERS]),
    payload: message.data,
    recordedAtNanos: nanosOf(headers['Nats-Time-Stamp']!),
  };
}

/** `2026-01-31T12:00:00.123456789Z`, with fewer decimals where they would be zeros. */
export function nanosOf(timestamp: string): bigint {
  const [, seconds, fraction = ''] = /^([^.Z]+)(?:\.(\d{1,9}))?Z$/.exec(timestamp) ?? [];
  if (seconds === undefined) throw new Error(`${timestamp} is not a time of the stream`);
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
