import { decode } from '@astro/messages/codec';
import { catalogue } from '@astro/messages/catalogue';
import {
  BaseRpcContext,
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
} from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import type { Bus } from './bus.js';
import { replaysLane } from './dead-letters-replays.js';
import type { Delivered } from './delivered.js';
import type { Headers } from './headers.js';
import type { Unit } from './holding.js';
import { consumerNameOf, Lane, Unprocessable } from './lane.js';
import type { Log } from './log.js';
import type { SharedWork } from './shared-work.js';
import { commandStreamOf, eventStreamOf } from './subjects.js';

export type JetStreamServerOptions = {
  readonly bus: Bus;
  /** Names the durable consumers, so that each service has its own. */
  readonly service: string;
  /** Each pattern is a unit of it: one process at a time gets the messages. Started and stopped with the server. */
  readonly work: SharedWork;
  readonly log: Log;
};

/** What a handler may know of its message besides the payload. */
export class JetStreamContext extends BaseRpcContext<[Delivered]> {
  get #message(): Delivered {
    return this.args[0];
  }
  get subject(): string {
    return this.#message.subject;
  }
  /** Parts of the subject, for example `['agent', '<nodeId>', 'TaskCompleted']`. */
  get tokens(): readonly string[] {
    return this.#message.subject.split('.');
  }
  /** The stream's own clock. */
  get recordedAt(): Date {
    return this.#message.recordedAt;
  }
  get position(): number {
    return this.#message.position;
  }
  get deliveries(): number {
    return this.#message.deliveries;
  }
  get headers(): Headers {
    return this.#message.headers;
  }
}

/**
 * Nest's transport over JetStream. `@EventPattern<string>('agent.*.TaskCompleted')` gets every such message
 * at least once, in order for each key: acknowledged when the handler has ended, delivered again when it
 * throws. Nest's own `handleEvent` is not used, because it swallows what handlers throw.
 */
export class JetStreamServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('jetstream');
  readonly #options: JetStreamServerOptions;
  constructor(options: JetStreamServerOptions) {
    super();
    this.#options = options;
  }

  listen(callback: (error?: unknown) => void): void {
    const { work } = this.#options;
    for (const [pattern, handler] of this.messageHandlers) {
      const unit = this.#unit(pattern, handler);
      work.add(unit);
      if (pattern.startsWith('evt.')) work.accompany(unit.name, this.#replays(pattern, handler));
    }
    work.start().then(() => callback(), callback);
  }

  close(): Promise<void> {
    return this.#options.work.stop();
  }

  /** There is nothing of this transport to listen to: connections report themselves to the bus. */
  override on(event: string): never {
    throw new Error(`the JetStream transport has no event ${event}`);
  }

  override unwrap<T>(): T {
    return this.#options.bus.connection as T;
  }

  #unit(pattern: string, handler: MessageHandler): Unit {
    const { bus, service, log } = this.#options;
    const durable = consumerOf(service, pattern, handler);
    const options = {
      stream: streamOf(pattern),
      durable,
      filterSubjects: [pattern],
      handle: (message: Delivered) => deliver(handler, message),
    };
    return { name: `messages-${durable}`, open: fence => new Lane(bus, { ...options, fence }, log) };
  }

  /** Takes the events that the handler failed at and that somebody sends on their way again, and no other ones. */
  #replays(pattern: string, handler: MessageHandler): Unit['open'] {
    const { bus, service, log } = this.#options;
    const consumer = consumerOf(service, pattern, handler);
    const again = new Map([[consumer, (event: Delivered) => deliver(handler, event)]]);
    return fence => replaysLane(bus, `${consumer}_replays`, again, log, fence);
  }
}

const consumerOf = (service: string, pattern: string, handler: MessageHandler): string => {
  const extras: { readonly durable?: string } = handler.extras ?? {};
  return consumerNameOf(extras.durable ?? durableOf(service, pattern));
};

const durableOf = (service: string, pattern: string): string =>
  `${service}_${pattern.replaceAll('*', 'any').replaceAll('>', 'all')}`;

/** The unit that a pattern of a service's controllers makes, for what must run in the same process. */
export const unitOf = (service: string, pattern: string): string =>
  `messages-${consumerNameOf(durableOf(service, pattern))}`;

/**
 * Hands on what a handler throws as it is, where Nest's own filter would put "Internal server error" in its place
 * and `Unprocessable` would be retried like any failure. Whoever connects a JetStreamServer adds it.
 */
@Catch()
export class HandlerErrorFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

async function deliver(handler: MessageHandler, message: Delivered): Promise<void> {
  const result: unknown = await handler(payloadOf(message), new JetStreamContext([message]));
  if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
}

/** The type follows from the subject, never from a header that an untrusted sender wrote. */
function payloadOf({ subject, data }: Delivered): unknown {
  const tokens = subject.split('.');
  const kind = kinds[tokens[0] ?? ''];
  const name = tokens.at(-1);
  const entry = catalogue.find(
    candidate =>
      candidate.kind === kind &&
      candidate.name === name &&
      (tokens.length === 3 || (candidate.context === tokens[1] && candidate.aggregate === tokens[2])),
  );
  if (!entry) throw new Unprocessable(`there is no message for ${subject}`);
  return decode(entry.typeName, data);
}

const kinds: Partial<Record<string, 'event' | 'command' | 'report' | 'telemetry'>> = {
  evt: 'event',
  cmd: 'command',
  agent: 'report',
  telemetry: 'telemetry',
};

function streamOf(pattern: string): string {
  const [root, context = ''] = pattern.split('.');
  switch (root) {
    case 'evt':
      return eventStreamOf(context);
    case 'cmd':
      return commandStreamOf(context);
    case 'agent':
      return 'AGENT_REPORTS';
    case 'telemetry':
      return 'TELEMETRY';
  }
  throw new Error(`no stream holds ${pattern}`);
}
