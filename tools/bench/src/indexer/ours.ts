import { join } from 'node:path';
import { Pool } from 'pg';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { startBusServer } from '../bus-server.js';
import { startDatabaseServer } from '../database-server.js';
import { startProgram } from '../instance.js';
import type { InstanceOptions } from './indexer-instance.js';

/** An indexer that is ready, with an empty record and empty tables, each on a durable server of its own. */
export type Indexer = {
  /** Of its tables. */
  readonly database: Pool;
  start(): Promise<void>;
  rssMb(): Promise<number>;
  stop(): Promise<void>;
};

export async function startIndexer(dir: string, rpcUrl: string, deployment: Deployment): Promise<Indexer> {
  const [nats, server] = await Promise.all([
    startBusServer(join(dir, 'nats'), true),
    startDatabaseServer(join(dir, 'postgres'), ['chain']),
  ]);
  const databaseUrl = server.urlOf('chain');
  const projections = ['chain.token'];
  const options: InstanceOptions = { servers: nats.server.url, databaseUrl, rpcUrl, deployment, projections };
  const instance = await startProgram('./indexer/indexer-instance.js', JSON.stringify(options));
  const database = new Pool({ connectionString: databaseUrl, max: 2 });
  return {
    database,
    start: () => instance.start(),
    rssMb: async () => (await instance.memory()).rssMb,
    async stop() {
      await database.end();
      await instance.stop();
      await Promise.all([nats.stop(), server.stop()]);
    },
  };
}
