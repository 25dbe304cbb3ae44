import type { Recorded } from '@astro/event-sourcing/recorded';
import { recordedFrom } from '@astro/jetstream/delivered';
import { headersIn } from '@astro/jetstream/received';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { Unprocessable } from '@astro/jetstream/unprocessable';
import { CodecError } from '@astro/messages/codec';
import { z } from 'zod';

const bytes = z.base64();

/** An event in a file, byte for byte as its stream holds it. */
export const citedEvent = z.strictObject({
  position: z.int().min(1),
  subject: z.string(),
  headers: bytes,
  payload: bytes,
  recordedAtNanos: z.string().regex(/^\d{1,19}$/),
});
export type CitedEvent = z.infer<typeof citedEvent>;

export const citationOf = (event: StoredMessage): CitedEvent => ({
  position: event.sequence,
  subject: event.subject,
  headers: Buffer.from(event.headers).toString('base64'),
  payload: Buffer.from(event.payload).toString('base64'),
  recordedAtNanos: event.recordedAtNanos.toString(),
});

export const citedIn = ({
  position,
  subject,
  headers,
  payload,
  recordedAtNanos,
}: CitedEvent): StoredMessage => ({
  sequence: position,
  subject,
  headers: Buffer.from(headers, 'base64'),
  payload: Buffer.from(payload, 'base64'),
  recordedAtNanos: BigInt(recordedAtNanos),
});

/** @throws CodecError, Unprocessable when the bytes are no event */
export const recordedIn = ({ headers, payload, sequence, ...message }: StoredMessage): Recorded =>
  recordedFrom({
    subject: message.subject,
    headers: headersIn(Buffer.from(headers)),
    data: payload,
    position: sequence,
    recordedAt: dateOf(message.recordedAtNanos),
  });

/** What `read` makes of the bytes of a file; undefined when they are no event. */
export function unlessUnreadable<Read>(read: () => Read): Read | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError || error instanceof Unprocessable) return undefined;
    throw error;
  }
}

export const dateOf = (nanos: bigint) => new Date(Number(nanos / 1_000_000n));
