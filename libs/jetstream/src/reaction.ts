import { derivedId } from '@astro/event-sourcing/ids';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { CommandBus } from './command-bus.js';

/** Sends the commands that follow from one event. Their ids are derived from the event's: repeating changes nothing. */
export async function react(
  reactor: Reactor,
  recorded: Recorded,
  commandBus: Pick<CommandBus, 'send'>,
): Promise<void> {
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
}
