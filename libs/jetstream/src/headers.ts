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

/**
 * CloudEvents in binary mode over NATS: any CloudEvents reader in any language can consume the streams. Each line is
 * ended, so that more can follow.
 * @throws InvalidArgumentError when a value would begin a header of its own
 */
export function envelopeLines(options: Envelope): string {
  const { id, metadata, requester } = options;
  const lines =
    headerLine('Nats-Msg-Id', id) +
    'ce-specversion: 1.0\r\n' +
    headerLine('ce-id', id) +
    headerLine('ce-type', options.typeName) +
    headerLine('ce-source', `astro/${options.source}`) +
    headerLine('ce-subject', options.subject) +
    `ce-time: ${now()}\r\n` +
    'content-type: application/protobuf\r\n' +
    (metadata ? metadataLines(metadata) : '');
  return requester === undefined ? lines : lines + headerLine('astro-requester', requester);
}

function metadataLines({ correlationId, causationId, actor, tenantId }: Metadata): string {
  const lines =
    headerLine('astro-correlation-id', correlationId) +
    headerLine('astro-causation-id', causationId) +
    headerLine('astro-actor', actor);
  return tenantId === undefined ? lines : lines + headerLine('astro-tenant-id', tenantId);
}

const LINE_BREAK = /[\r\n]/;

/** @throws InvalidArgumentError when the value would begin a header of its own */
export function headerLine(name: string, value: string): string {
  if (LINE_BREAK.test(value)) throw new InvalidArgumentError(`the header ${name} cannot hold a line break`);
  return `${name}: ${value}\r\n`;
}

/** Hundreds of messages are written within the same millisecond. */
let latest = { ms: 0, text: '' };
function now(): string {
  const ms = Date.now();
  if (ms !== latest.ms) latest = { ms, text: new Date(ms).toISOString() };
  return latest.text;
}

/** Headers to publish and nothing else: they cannot be read or changed. */
class WrittenHeaders extends MsgHdrsImpl {
  readonly #lines: string;

  constructor(lines: string) {
    super();
    this.#lines = lines;
  }

  override toString(): string {
    return `NATS/1.0\r\n${this.#lines}\r\n`;
  }
}

/**
 * For messages that are many: the client's own headers are a map of lists, whose making costs more than the rest of an
 * append.
 */
export const writtenHeaders = (lines: string): MsgHdrs => new WrittenHeaders(lines);

/** For messages to whose headers the client adds its own. */
export const envelope = (options: Envelope): MsgHdrs =>
  MsgHdrsImpl.decode(new TextEncoder().encode(`NATS/1.0\r\n${envelopeLines(options)}\r\n`));

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
