import { mkdir } from 'node:fs/promises';
import { startPostgres } from '@astro/devstack/postgres/server';
import { provision } from '@astro/postgres/provision';

export type DatabaseServer = {
  /** Of the role that owns the schema of a context. */
  urlOf(context: string): string;
  stop(): Promise<void>;
};

/** A server as the platform runs it: each commit waits for the disk. */
export async function startDatabaseServer(dir: string, contexts: readonly string[]): Promise<DatabaseServer> {
  await mkdir(dir, { recursive: true });
  const server = await startPostgres({ dir });
  const owners = contexts.map(context => ({ role: context, password: context, schema: context }));
  const reader = { role: 'gateway', password: 'gateway' };
  await provision(server.adminUrl, { database: 'bench', owners, reader });
  return {
    urlOf(context) {
      const url = new URL(server.adminUrl);
      [url.username, url.password, url.pathname] = [context, context, '/bench'];
      return url.href;
    },
    stop: () => server.stop(),
  };
}
