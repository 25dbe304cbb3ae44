import type { AggregateRef, Metadata } from '@astro/event-sourcing/recorded';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { Unprocessable } from './unprocessable.js';

export type Headers = Readonly<Record<string, string>>;

export type Envelope = {
  readonly id: string;
  /** Full protobuf name of the payload. */
  readonly typeName: string;
  /** The context that speaks, for example `scheduling`. */
  readonly source: string;
  readonly subject: string;
  readonly metadata?: Metadata;
  readonly requester?: string;
};

/** CloudEvents in binary mode over NATS: any CloudEvents reader in any language can consume the streams. */
export function envelope(options: Envelope): MsgHdrs {
  const { id, metadata } = options;
  const written = headers();
  const fields: Record<string, string | undefined> = {
    'Nats-Msg-Id': id,
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-type': options.typeName,
    'ce-source': `astro/${options.source}`,
    'ce-subject': options.subject,
    'ce-time': new Date().toISOString(),
    'content-type': 'application/protobuf',
    'astro-correlation-id': metadata?.correlationId,
    'astro-causation-id': metadata?.causationId,
    'astro-actor': metadata?.actor,
    'astro-tenant-id': metadata?.tenantId,
    'astro-requester': options.requester,
  };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) written.set(name, value);
  return written;
}

export const subjectOf = ({ type, id }: AggregateRef): string => `${type.slice(type.indexOf('.') + 1)}/${id}`;

export function plainHeaders(received: MsgHdrs | undefined): Headers {
  const plain: Record<string, string> = {};
  for (const name of received?.keys() ?? []) plain[name] = received!.last(name);
  return plain;
}

/** @throws Unprocessable when the message was published without them, which no part of the platform does. */
export function metadataOf(received: Headers): Metadata {
  const correlationId = received['astro-correlation-id'];
  const causationId = received['astro-causation-id'];
  const actor = received['astro-actor'];
  if (!correlationId || !causationId || !actor) {
    throw new Unprocessable('the headers lack a correlation id, a causation id or an actor');
  }
  const tenantId = received['astro-tenant-id'];
  return { correlationId, causationId, actor, ...(tenantId && { tenantId }) };
}
