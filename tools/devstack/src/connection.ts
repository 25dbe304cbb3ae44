import { rmSync } from 'node:fs';
import { connectionFile, type Connection } from '@astro/admin/connection';
import { readerRole, type Databases } from './databases.js';
import { writePrivately } from './files.js';
import type { Infrastructure } from './infrastructure/infrastructure.js';
import { services } from './services.js';
import type { StateFolder } from './state.js';

/** For tools beside the platform, such as `npm run admin`: how to reach it while it runs. */
export function publishConnection(
  state: StateFolder,
  gatewayUrl: string,
  { natsUrl, credentialsFileOf }: Infrastructure,
  databases: Databases,
): void {
  const natsCredentialsFile = credentialsFileOf('admin');
  const contexts = services.flatMap(({ context }) => context ?? []);
  const connection: Connection = {
    gatewayUrl,
    natsUrl,
    databaseUrls: Object.fromEntries(contexts.map(context => [context, databases.urlOf(context)])),
    databaseUrl: databases.urlOf(readerRole),
    ...(natsCredentialsFile === undefined ? {} : { natsCredentialsFile }),
  };
  writePrivately(connectionFile(state.path), `${JSON.stringify(connection, undefined, 2)}\n`);
}

export const withdrawConnection = (state: StateFolder): void =>
  rmSync(connectionFile(state.path), { force: true });
