import type { Reactor } from '@astro/event-sourcing/reactor';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import type { Unit } from './holding.js';
import { consumerNameOf, Lane, recordedFrom, type Delivered } from './lane.js';
import type { Log } from './log.js';
import { react } from './reaction.js';
import { contextOf, eventStreamOf } from './subjects.js';

/**
 * Sends the commands that follow from events, in order for each aggregate unless it need not be; one process at a time
 * does.
 */
export function reactorUnit(
  bus: Bus,
  reactor: Reactor,
  commandBus: Pick<CommandBus, 'send'>,
  log: Log,
): Unit {
  const durable = consumerNameOf(`${reactor.name}_reactor`);
  const options = {
    stream: eventStreamOf(contextOf(reactor.reads[0])),
    durable,
    filterSubjects: reactor.reads.map(type => `evt.${type}.>`),
    retry: 'in-place',
    ...(reactor.isUnordered && { keyOf: ({ position }: Delivered) => String(position) }),
    handle: (message: Delivered) => react(reactor, recordedFrom(message), commandBus),
  } as const;
  return { name: `reactor-${durable}`, open: fence => new Lane(bus, { ...options, fence }, log) };
}
