import type { Reactor } from '@astro/event-sourcing/reactor';
import { decode } from '@astro/messages/codec';
import type { DeadLetter } from '@astro/messages/runtime';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import { recordedFrom } from './delivered.js';
import { readPage } from './direct-read.js';
import type { Fence } from './fence.js';
import { plainHeaders } from './headers.js';
import type { Unit } from './holding.js';
import { consumerNameOf, Lane, Unprocessable, type Delivered } from './lane.js';
import type { Log } from './log.js';
import { react } from './reaction.js';

/**
 * Where an event that one consumer could not handle goes to be handled by that consumer alone. It is never published
 * again under its own subject: that would be a second event.
 */
export const replaySubject = (consumer: string): string => `dlq.replay.${consumer}`;

/** What a consumer does with an event that it could not handle before. */
export type HandleAgain = (event: Delivered) => Promise<void>;

/** Handles again the events whose dead letters are replayed, by the consumer that failed. */
export function replaysLane(
  bus: Bus,
  durable: string,
  handlers: ReadonlyMap<string, HandleAgain>,
  log: Log,
  fence: Fence,
): Lane {
  const bySubject = new Map(
    [...handlers].map(([consumer, handle]) => [replaySubject(consumer), handle] as const),
  );
  return new Lane(
    bus,
    {
      stream: 'DEAD_LETTERS',
      durable,
      filterSubjects: [...bySubject.keys()],
      keyOf: message => message.subject,
      async handle(message) {
        const handle = bySubject.get(message.subject);
        if (!handle) throw new Unprocessable(`${durable} does not take ${message.subject}`);
        await handle(await eventOf(bus, message));
      },
      fence,
    },
    log,
  );
}

/** The same for the reactors of one service, as a unit of its work. */
export function replaysUnit(
  bus: Bus,
  service: string,
  reactors: readonly Reactor[],
  commandBus: Pick<CommandBus, 'send'>,
  log: Log,
): Unit {
  const handlers = new Map<string, HandleAgain>(
    reactors.map(reactor => [
      consumerNameOf(`${reactor.name}_reactor`),
      event => react(reactor, recordedFrom(event), commandBus),
    ]),
  );
  return {
    name: `replays-${service}`,
    open: fence => replaysLane(bus, `${service}_replays`, handlers, log, fence),
  };
}

/** The event as its stream has it: the letter only says where. */
async function eventOf(bus: Bus, { data, deliveries }: Delivered): Promise<Delivered> {
  const { stream, subject, sequence } = decode('astro.runtime.v1.DeadLetter', data) as DeadLetter;
  const [found] = await readPage(bus, stream, { seq: sequence, batch: 1, next_by_subj: subject });
  if (found?.seq !== sequence) throw new Unprocessable(`${stream} has no ${subject} at ${sequence}`);
  return {
    subject,
    position: sequence,
    recordedAt: found.time,
    deliveries,
    data: found.data,
    headers: plainHeaders(found.header),
  };
}
