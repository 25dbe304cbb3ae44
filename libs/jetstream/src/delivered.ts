import type { Recorded } from '@astro/event-sourcing/recorded';
import { decodeMessage } from '@astro/messages/codec';
import type { JsMsg } from '@nats-io/jetstream';
import { metadataOf, plainHeaders, type Headers } from './headers.js';
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
export const deliveredOf = (message: JsMsg): Delivered => ({
  subject: subjectAsSent(message.subject),
  position: message.seq,
  recordedAt: timeOf(message),
  deliveries: message.info.deliveryCount,
  data: message.data,
  headers: plainHeaders(message.headers),
});

/**
 * When the stream took it, to the millisecond below. The client's own `time` goes through a floating-point number
 * of nanoseconds, which near the end of a millisecond gives the next one: another time than a direct read gives.
 */
export const timeOf = ({ timestampNanos }: Pick<JsMsg, 'timestampNanos'>): Date =>
  new Date(Number(timestampNanos / 1_000_000n));

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
