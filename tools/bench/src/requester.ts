import { newId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';

const AGGREGATES = 1_000;
const TIMEOUT_MS = 60_000;

const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };

/** As many tenants as operators. */
const commands: readonly Directed[] = Array.from({ length: AGGREGATES }, (_, index) => {
  const name = `guest ${index}`;
  if (index % 2 === 0) {
    const id = newId('tenant');
    return { to: { type: 'registry.tenant', id }, type: 'RegisterTenant', data: { tenantId: id, name } };
  }
  const id = newId('operator');
  return { to: { type: 'registry.operator', id }, type: 'RegisterOperator', data: { operatorId: id, name } };
});

/** From publishing a command to hearing that its event is on the disk; each goes to the next aggregate. */
export function requester(bus: Bus): () => Promise<void> {
  const commandBus = new CommandBus(bus, `bench-${process.pid}`);
  let count = 0;
  return async () => {
    const command = commands[count++ % commands.length]!;
    const outcome = await commandBus.request(command, { id: newId('cmd'), metadata, timeoutMs: TIMEOUT_MS });
    if (!outcome?.accepted || !outcome.changed) throw new Error('a command was not carried out');
  };
}
