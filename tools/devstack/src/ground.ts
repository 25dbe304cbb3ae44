import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bus } from '@astro/jetstream/bus';
import { provision } from '@astro/postgres/provision';
import { startNats } from './nats/server.js';
import { startPostgres } from './postgres/server.js';

/** What one service stands on, for a spec that opens it in its own process. */
export type Ground = {
  /** The service's configuration; it listens on a free port. */
  readonly environment: Readonly<Record<string, string>>;
  /** The spec's own connection. */
  readonly bus: Bus;
  stop(): Promise<void>;
};

/** Real servers, with the database and the role that the service has on a platform. */
export async function startGround(service: string): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), `astro-${service}-`));
  const [nats, postgres] = await Promise.all([
    startNats({ dir: join(dir, 'nats') }),
    startPostgres({ dir: join(dir, 'postgres') }),
  ]);
  const owner = { role: service, password: 'owner', schema: service };
  const reader = { role: 'gateway', password: 'reader' };
  await provision(postgres.adminUrl, { database: 'astro', owners: [owner], reader });
  const bus = await Bus.connect({ servers: nats.url, name: `${service}-spec` });
  return {
    environment: {
      NATS_URL: nats.url,
      DATABASE_URL: `postgresql://${service}:owner@127.0.0.1:${postgres.port}/astro`,
      HTTP_PORT: '0',
      LOG_LEVEL: 'error',
    },
    bus,
    async stop() {
      await bus.close();
      await Promise.all([nats.stop(), postgres.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
