import type { Recorded } from '@astro/event-sourcing/recorded';
import { decodeMessage } from '@astro/messages/codec';
import type { JsMsg } from '@nats-io/jetstream';
import { metadataOf, type Headers } from './headers.js';
import { headerBlockOf, headersIn, wrappedIn } from './received.js';
import { addressOf, subjectAsSent } from './subjects.js';
import { Unprocessable } from './unprocessable.js';

/** A message as a lane hands it over. */
export type Delivered = {
  readonly subject: string;
  /** Sequence in its stream. */
  readonly position: number;
  /** The stream's own clock. */
  readonly recordedAt: Date;
  /** 1 the first time. */
  readonly deliveries: number;
  readonly data: Uint8Array;
  readonly headers: Headers;
};

/** What a consumer's message says, apart from how to acknowledge it. */
export function deliveredOf(message: JsMsg): Delivered {
  const { streamSequence, deliveryCount } = message.info;
  const wrapped = wrappedIn(message);
  return {
    subject: subjectAsSent(message.subject),
    position: streamSequence,
    recordedAt: timeOf(wrapped.reply ?? ''),
    deliveries: deliveryCount,
    data: message.data,
    headers: headersIn(headerBlockOf(wrapped)),
  };
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivery>.<nanoseconds>.<pending>`, or with more before it. */
const SHORT_REPLY_TOKENS = 9;
const DIGITS_BELOW_MS = 6;

/**
 * When the stream took the message that is acknowledged at `reply`, to the millisecond below. The client's own `time`
 * goes through a floating-point number of nanoseconds, which near the end of a millisecond gives the next one: another
 * time than a direct read gives.
 */
export function timeOf(reply: string): Date {
  const tokens = reply.split('.');
  const nanos = tokens[tokens.length === SHORT_REPLY_TOKENS ? 7 : 9] ?? '';
  return new Date(Number(nanos.slice(0, -DIGITS_BELOW_MS)));
}

/** The event in a message of an event stream. @throws CodecError or Unprocessable when it is not one */
export function recordedFrom(message: Omit<Delivered, 'deliveries'>): Recorded {
  const { aggregate, name } = addressOf(message.subject);
  const id = message.headers['ce-id'];
  if (!id) throw new Unprocessable(`the message at ${message.position} has no ce-id`);
  return {
    id,
    aggregate,
    event: decodeMessage('event', aggregate.type, name, message.data),
    position: message.position,
    recordedAt: message.recordedAt,
    metadata: metadataOf(message.headers),
  };
}
