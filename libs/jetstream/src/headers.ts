import type { AggregateRef, Metadata } from '@astro/event-sourcing/recorded';
import { InvalidArgumentError, MsgHdrsImpl, type MsgHdrs } from '@nats-io/transport-node';
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
export function envelopeFields(options: Envelope): Headers {
  const { id, metadata } = options;
  const fields: Record<string, string> = {
    'Nats-Msg-Id': id,
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-type': options.typeName,
    'ce-source': `astro/${options.source}`,
    'ce-subject': options.subject,
    'ce-time': new Date().toISOString(),
    'content-type': 'application/protobuf',
  };
  if (metadata) {
    fields['astro-correlation-id'] = metadata.correlationId;
    fields['astro-causation-id'] = metadata.causationId;
    fields['astro-actor'] = metadata.actor;
    if (metadata.tenantId !== undefined) fields['astro-tenant-id'] = metadata.tenantId;
  }
  if (options.requester !== undefined) fields['astro-requester'] = options.requester;
  return fields;
}

export const envelope = (options: Envelope): MsgHdrs => messageHeaders(envelopeFields(options));

const LINE_BREAK = /[\r\n]/;

/**
 * The client's own `set` compares each name with all the others, which costs more than the rest of an append.
 * @throws InvalidArgumentError when a value would begin a header of its own
 */
export function messageHeaders(fields: Headers): MsgHdrs {
  const values: Record<string, string[]> = {};
  for (const name in fields) {
    const value = fields[name]!;
    if (LINE_BREAK.test(value)) throw new InvalidArgumentError(`the header ${name} cannot hold a line break`);
    values[name] = [value];
  }
  return MsgHdrsImpl.fromRecord(values);
}

export const subjectOf = ({ type, id }: AggregateRef): string => `${type.slice(type.indexOf('.') + 1)}/${id}`;

export function plainHeaders(received: MsgHdrs | undefined): Headers {
  const plain: Record<string, string> = {};
  for (const [name, values] of received ?? []) plain[name] = values.at(-1)!;
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
