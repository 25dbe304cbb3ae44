import type { Reactor } from '@astro/event-sourcing/reactor';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import { consumerNameOf, Lane, recordedFrom } from './lane.js';
import type { Log } from './log.js';
import { react } from './reaction.js';
import { contextOf, eventStreamOf } from './subjects.js';

/** Sends the commands that follow from events, in order for each aggregate. */
export const reactorLane = (
  bus: Bus,
  reactor: Reactor,
  commandBus: Pick<CommandBus, 'send'>,
  log: Log,
): Lane =>
  new Lane(
    bus,
    {
      stream: eventStreamOf(contextOf(reactor.reads[0])),
      durable: consumerNameOf(`${reactor.name}_reactor`),
      filterSubjects: reactor.reads.map(type => `evt.${type}.>`),
      retry: 'in-place',
      handle: message => react(reactor, recordedFrom(message), commandBus),
    },
    log,
  );
