import { derivedId } from '@astro/event-sourcing/ids';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { Bus } from './bus.js';
import type { CommandBus } from './command-bus.js';
import { consumerNameOf, Lane, recordedFrom, type Delivered } from './lane.js';
import type { Log } from './log.js';
import { contextOf, eventStreamOf } from './subjects.js';

/**
 * Sends the commands that follow from events, in order for each aggregate. Their ids are derived from the
 * event's, so a redelivery repeats the same commands and changes nothing.
 */
export function reactorLane(
  bus: Bus,
  reactor: Reactor,
  commandBus: Pick<CommandBus, 'send'>,
  log: Log,
): Lane {
  const handle = async (message: Delivered) => {
    const recorded = recordedFrom(message);
    const { correlationId, tenantId } = recorded.metadata;
    const metadata = {
      correlationId,
      causationId: recorded.id,
      actor: `service:${reactor.name}`,
      ...(tenantId && { tenantId }),
    };
    for (const [index, command] of reactor.react(recorded).entries()) {
      await commandBus.send(command, { id: derivedId('cmd', recorded.id, reactor.name, index), metadata });
    }
  };
  return new Lane(
    bus,
    {
      stream: eventStreamOf(contextOf(reactor.reads[0])),
      durable: consumerNameOf(`${reactor.name}_reactor`),
      filterSubjects: reactor.reads.map(type => `evt.${type}.>`),
      retry: 'in-place',
      handle,
    },
    log,
  );
}
