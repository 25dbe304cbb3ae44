import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerName } from '@astro/devstack/infrastructure/infrastructure';
import type { Bus } from '@astro/jetstream/bus';
import { Client } from 'pg';
import type { Breach } from './invariants.js';
import { patiently } from './patience.js';

const stream = 'CHAOS_PROBE';
const subject = 'chaos.probe';
/** More than fits into the last page of a file that has been given to the server already. */
const writeBytes = 256 * 1_024;
/** Well below what a small disk holds, so that the probe never fills it by itself. */
const writesMax = 64;
const pauseMs = 100;
const answerLimitMs = 5_000;

type Written = { readonly key: number; readonly sha256: string };
type Store = {
  /** Resolves when the server has promised to keep it, with the key to find it by. */
  write(data: Buffer): Promise<number>;
  read(key: number): Promise<Uint8Array | undefined>;
};

/** Writes to a server whose disk is full, and remembers what it promised all the same. */
export class DiskProbe {
  private readonly stores: Readonly<Record<ServerName, Store>>;
  private readonly written: Record<ServerName, Written[]> = { nats: [], postgres: [] };

  private constructor(bus: Bus, databaseUrl: string) {
    this.stores = { nats: streamOf(bus), postgres: tableOf(databaseUrl) };
  }

  static async create(bus: Bus, databaseUrl: string): Promise<DiskProbe> {
    await bus.jsm.streams.add({ name: stream, subjects: [subject] });
    const table = 'create table if not exists chaos_probe (key serial primary key, data bytea not null)';
    await patiently(() => query(databaseUrl, table));
    return new DiskProbe(bus, databaseUrl);
  }

  /** Whether the server refused a write, or was silent about it, before `deadline`; it is tried at least once. */
  async isRefused(server: ServerName, deadline: number): Promise<boolean> {
    const written = this.written[server];
    for (let count = 0; count === 0 || (count < writesMax && Date.now() < deadline); count++) {
      const data = randomBytes(writeBytes);
      try {
        const key = await this.stores[server].write(data);
        written.push({ key, sha256: sha256(data) });
      } catch (error) {
        // Whatever it says, it has not promised anything.
        if (error instanceof Error) return true;
        throw error;
      }
      await sleep(pauseMs);
    }
    return false;
  }

  /** I7 for the probe: what was promised on a full disk is there afterwards. */
  async lost(): Promise<readonly Breach[]> {
    const breaches: Breach[] = [];
    for (const server of ['nats', 'postgres'] as const) {
      for (const { key, sha256: expected } of this.written[server]) {
        const data = await patiently(() => this.stores[server].read(key));
        if (data && sha256(data) === expected) continue;
        breaches.push({ invariant: 'I7', detail: `${server} promised ${key} on a full disk and lost it` });
      }
    }
    return breaches;
  }
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

const streamOf = (bus: Bus): Store => ({
  write: async data => (await bus.js.publish(subject, data)).seq,
  read: async seq => (await bus.jsm.streams.getMessage(stream, { seq }))?.data,
});

const tableOf = (databaseUrl: string): Store => ({
  async write(data) {
    const [row] = await query<{ key: number }>(
      databaseUrl,
      'insert into chaos_probe (data) values ($1) returning key',
      [data],
    );
    return row!.key;
  },
  async read(key) {
    const [row] = await query<{ data: Buffer }>(databaseUrl, 'select data from chaos_probe where key = $1', [
      key,
    ]);
    return row?.data;
  },
});

async function query<Row extends object>(
  connectionString: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: answerLimitMs,
    query_timeout: answerLimitMs,
  });
  // A server that goes down under an open connection is what this is about; the query says so by itself.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}
