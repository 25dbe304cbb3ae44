import type { Recorded } from '@astro/event-sourcing/recorded';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { contextOf, addressOf, eventStreamOf } from '@astro/jetstream/subjects';
import { z } from 'zod';
import { citationOf, citedEvent, citedIn, recordedIn, unlessUnreadable } from '../cited-event.js';
import { leafOf } from '../invoice/charges.js';

/** The submission of the job, and one event for each result of the task: more than any limit of replicas allows. */
export const EVENTS_MAX = 64;

/** Evidence of a fault: what is claimed, and the events that it follows from. */
export const bundleSchema = z.strictObject({
  format: z.literal('astro-evidence/1'),
  /** Follows from the events and the published rules: see the verification service. */
  statement: z.looseObject({ kind: z.string(), accused: z.looseObject({ leaseId: z.string() }) }),
  events: z
    .array(
      z.strictObject({
        ...citedEvent.shape,
        stream: z.string(),
        /** SHA-256 over position, time, subject, headers and payload, as the leaf of an invoice's line has it. */
        hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
      }),
    )
    .min(1)
    .max(EVENTS_MAX),
});
export type Bundle = z.infer<typeof bundleSchema>;

/** @param statement what the events say; only what JSON can hold of it is kept */
export const bundleOf = (statement: object, events: readonly StoredMessage[]): Bundle => ({
  format: 'astro-evidence/1',
  statement: JSON.parse(JSON.stringify(statement)) as Bundle['statement'],
  events: events.map(event => ({
    ...citationOf(event),
    stream: streamOf(event.subject),
    hash: leafOf(event).toString('hex'),
  })),
});

export type Cited =
  | { readonly events: readonly Recorded[]; readonly flaws: readonly [] }
  | { readonly events?: undefined; readonly flaws: readonly string[] };

/** The events of a bundle, or what of them is not what was stored, by the place where that shows. */
export function eventsIn({ events }: Bundle): Cited {
  const recorded: Recorded[] = [];
  const flaws: string[] = [];
  for (const [index, { stream, hash, ...citation }] of events.entries()) {
    const at = (field: string, rule: string) => flaws.push(`events[${index}].${field}: ${rule}`);
    const event = citedIn(citation);
    const found = leafOf(event).toString('hex');
    if (found !== hash) at('hash', `is ${hash}, the bytes have ${found}`);
    const read = unlessUnreadable(() => recordedIn(event));
    if (!read) at('payload', 'cannot be read as the event that its subject names');
    else if (streamOf(event.subject) !== stream) at('stream', `is ${stream}, the subject says otherwise`);
    else recorded.push(read);
  }
  return flaws.length > 0 ? { flaws } : { events: recorded, flaws: [] };
}

/** @throws Unprocessable when it is not the subject of an event */
const streamOf = (subject: string): string => eventStreamOf(contextOf(addressOf(subject).aggregate.type));
