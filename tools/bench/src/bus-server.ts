import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { Bus } from '@astro/jetstream/bus';
import { ensureStreams } from '@astro/jetstream/streams';

export type BusServer = { readonly bus: Bus; readonly server: NatsServer; stop(): Promise<void> };

/**
 * A server with every stream, and a connection to it.
 * @param durable whether each write is on the disk before it is acknowledged, as it is in production
 */
export async function startBusServer(dir: string, durable: boolean): Promise<BusServer> {
  const server = await startNats({ dir, ...(!durable && { settings: unsynced(dir) }) });
  const bus = await Bus.connect({ servers: server.url, name: 'bench' });
  await ensureStreams(bus);
  return {
    bus,
    server,
    async stop() {
      await bus.close();
      await server.stop();
    },
  };
}

/** Comes last in the configuration, so it takes the place of the block that asks for a sync at each write. */
const unsynced = (dir: string): string =>
  `jetstream { store_dir: ${JSON.stringify(join(dir, 'jetstream'))}, sync_interval: "2m" }`;
