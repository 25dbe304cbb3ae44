import type { Reactor } from '@astro/event-sourcing/reactor';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { decode } from '@astro/messages/codec';
import type { DeadLetter } from '@astro/messages/runtime';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import { recordedFrom } from './delivered.js';
import { readPage } from './direct-read.js';
import type { DurableLaneOptions } from './durable-lane.js';
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

/** Handles again, for the reactors of one service, the events whose dead letters are replayed. */
export function replaysUnit(
  bus: Bus,
  service: string,
  reactors: readonly Reactor[],
  commandBus: Pick<CommandBus, 'send'>,
  log: Log,
): Unit {
  const bySubject = new Map(
    reactors.map(reactor => [replaySubject(consumerNameOf(`${reactor.name}_reactor`)), reactor] as const),
  );
  const options: DurableLaneOptions = {
    stream: 'DEAD_LETTERS',
    durable: `${service}_replays`,
    filterSubjects: [...bySubject.keys()],
    keyOf: message => message.subject,
    async handle(message) {
      const reactor = bySubject.get(message.subject);
      if (!reactor) throw new Unprocessable(`no reactor of ${service} takes ${message.subject}`);
      await react(reactor, await eventOf(bus, message), commandBus);
    },
  };
  return { name: `replays-${service}`, open: fence => new Lane(bus, { ...options, fence }, log) };
}

/** The event as its stream has it: the letter only says where. */
async function eventOf(bus: Bus, { data }: Delivered): Promise<Recorded> {
  const { stream, subject, sequence } = decode('astro.runtime.v1.DeadLetter', data) as DeadLetter;
  const [found] = await readPage(bus, stream, { seq: sequence, batch: 1, next_by_subj: subject });
  if (found?.seq !== sequence) throw new Unprocessable(`${stream} has no ${subject} at ${sequence}`);
  return recordedFrom({
    subject,
    position: sequence,
    recordedAt: found.time,
    data: found.data,
    headers: plainHeaders(found.header),
  });
}
