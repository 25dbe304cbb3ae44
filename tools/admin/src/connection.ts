import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

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
