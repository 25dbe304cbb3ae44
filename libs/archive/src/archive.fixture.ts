import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { silent, type Log } from '@astro/jetstream/log';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { restoreStream } from '@astro/jetstream/stream-restore';
import { ensureStreams } from '@astro/jetstream/streams';
import { provision } from '@astro/postgres/provision';
import { Client } from 'pg';
import { Archive } from './archive.js';
import { Archiver } from './archiver.js';

export const context = 'registry';
export const stream = 'EVT_REGISTRY';
export const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };
const PATIENCE_MS = 20_000;

/** A NATS server with the platform's streams and a PostgreSQL server with an archive, of one spec. */
export class ArchiveWorld {
  readonly archivers: Archiver[] = [];
  readonly archives: Archive[] = [];

  private constructor(
    private readonly dir: string,
    private nats: NatsServer,
    private readonly postgres: PostgresServer,
    readonly bus: Bus,
  ) {}

  static async start(): Promise<ArchiveWorld> {
    const dir = await mkdtemp(join(tmpdir(), 'astro-archive-'));
    const [nats, postgres] = await Promise.all([
      startNats({ dir: join(dir, 'nats') }),
      startPostgres({ dir: join(dir, 'postgres') }),
    ]);
    const bus = await Bus.connect({ servers: nats.url, name: 'archive-spec' });
    return new ArchiveWorld(dir, nats, postgres, bus);
  }

  /** Empty streams and an empty database, whatever was there before. */
  async renew(): Promise<void> {
    await this.quiet();
    await ensureStreams(this.bus);
    await this.bus.jsm.streams.delete(stream);
    await ensureStreams(this.bus);
    await this.asAdmin('drop database if exists "spec" with (force)', this.postgres.adminUrl);
    await provision(this.postgres.adminUrl, {
      database: 'spec',
      owners: [{ role: context, password: 'secret', schema: context }],
      reader: { role: 'gateway', password: 'secret' },
    });
  }

  /** Stops the archivers and closes the archives. */
  async quiet(): Promise<void> {
    await Promise.all(this.archivers.splice(0).map(archiver => archiver.stop()));
    await Promise.all(this.archives.splice(0).map(archive => archive.close()));
  }

  async stop(): Promise<void> {
    await this.quiet();
    await this.bus.close();
    await Promise.all([this.nats.stop(), this.postgres.stop()]);
    await rm(this.dir, { recursive: true, force: true });
  }

  url(role: string = context): string {
    const url = new URL(this.postgres.adminUrl);
    url.pathname = '/spec';
    if (role !== 'admin') [url.username, url.password] = [role, 'secret'];
    return url.href;
  }

  archive(role?: string): Archive {
    const archive = new Archive({ url: this.url(role), schema: context });
    this.archives.push(archive);
    return archive;
  }

  /** An archiver with connections of its own, as each service process has one. */
  async archiver(log: Log = silent): Promise<Archiver> {
    const archive = new Archive({ url: this.url(), schema: context });
    const archiver = new Archiver(this.bus, archive, context, log);
    this.archivers.push(archiver);
    await archiver.start();
    return archiver;
  }

  async asAdmin(sql: string, url = this.url('admin')): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Changes rows as somebody with all rights could, past the trigger. */
  tamper(sql: string): Promise<Record<string, unknown>[]> {
    return this.asAdmin(`begin; set local session_replication_role = replica; ${sql}; commit`);
  }

  /** Appends `count` events of one new aggregate, two of them in one atomic batch. */
  async record(count: number): Promise<AggregateRef> {
    const tenantId = newId('tenant');
    const tenant: AggregateRef = { type: 'registry.tenant', id: tenantId };
    const store = new EventStore(this.bus);
    const event = (name: string) => ({ type: 'TenantRegistered', data: { tenantId, name } });
    let expectedPosition = 0;
    for (let index = 0; index < count; index += 2) {
      const events = [event(`Tenant ${index}`), event(`Tenant ${index + 1}`)].slice(0, count - index);
      const options = { expectedPosition, commandId: `${tenantId}-${index}`, metadata };
      ({ position: expectedPosition } = await store.append(tenant, events, options));
    }
    return tenant;
  }

  async recordNamed(name: string): Promise<void> {
    const tenantId = newId('tenant');
    const options = { expectedPosition: 0, commandId: tenantId, metadata };
    const event = { type: 'TenantRegistered', data: { tenantId, name } };
    await new EventStore(this.bus).append({ type: 'registry.tenant', id: tenantId }, [event], options);
  }

  /** Resolves when the bus is back. */
  async restartNats(): Promise<void> {
    await this.nats.kill();
    await until(() => !this.bus.isUp);
    this.nats = await startNats({ dir: join(this.dir, 'nats'), port: this.nats.port });
    await until(() => this.bus.isUp);
  }

  messages(): Promise<readonly StoredMessage[]> {
    return readStored(this.bus, stream, 0);
  }

  /** Makes the stream anew out of these messages. */
  async replaceStream(messages: readonly StoredMessage[]): Promise<void> {
    await this.bus.jsm.streams.delete(stream);
    await restoreStream(this.bus, stream, one(messages));
  }

  /** Rewrites the archive with another payload at `sequence`, in a chain that is whole. */
  async rewriteArchiveFrom(sequence: number): Promise<void> {
    const messages = (await this.messages()).map(message =>
      message.sequence === sequence ? { ...message, payload: Buffer.from('forged') } : message,
    );
    await this.tamper('delete from registry.archive_events; delete from registry.archive_heads');
    const archive = this.archive();
    await archive.append(stream, await archive.head(stream), messages);
  }

  /** Waits until the archive has the whole stream. */
  async caughtUp(): Promise<void> {
    const reader = this.archive();
    await until(async () => {
      const { state } = await this.bus.jsm.streams.info(stream);
      const { sequence } = await reader.head(stream).catch(() => ({ sequence: -1 }));
      return sequence === state.last_seq;
    });
  }
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come about');
    await new Promise(resolve => setTimeout(resolve, 25));
  }
}

async function* one<Item>(item: Item): AsyncGenerator<Item> {
  yield await Promise.resolve(item);
}
