import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bus } from '@astro/jetstream/bus';

/** How to reach a running platform: written into its state folder while it runs, read by tools beside it. */
export type Connection = {
  readonly gatewayUrl: string;
  readonly natsUrl: string;
  readonly natsCredentialsFile?: string;
  /** Of the role that owns the schema, by context. */
  readonly databaseUrls?: Readonly<Record<string, string>>;
  /** As the role that may read every schema and write none. */
  readonly databaseUrl: string;
};

export const connectionFile = (home: string) => join(home, 'connection.json');

/** @throws when no platform runs from this folder. */
export function readConnection(home: string): Connection {
  const path = connectionFile(home);
  if (!existsSync(path)) throw new Error(`No platform runs from ${home}: start one with npm start.`);
  return JSON.parse(readFileSync(path, 'utf8')) as Connection;
}

/** The state folder of the platform of this checkout, unless the environment names another. */
export const homeIn = (env: NodeJS.ProcessEnv): string =>
  env['ASTRO_HOME'] || join(dirname(fileURLToPath(import.meta.url)), '../../../.astro');

/** @param name of the tool, by which the server knows it */
export const connectBus = (
  { natsUrl, natsCredentialsFile }: Pick<Connection, 'natsUrl' | 'natsCredentialsFile'>,
  name: string,
): Promise<Bus> =>
  Bus.connect({
    servers: natsUrl,
    name,
    ...(natsCredentialsFile && { credentials: readFileSync(natsCredentialsFile, 'utf8') }),
  });
