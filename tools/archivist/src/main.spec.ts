import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Archive } from '@astro/archive/archive';
import { Archiver } from '@astro/archive/archiver';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { silent } from '@astro/jetstream/log';
import { ensureStreams } from '@astro/jetstream/streams';
import { provision } from '@astro/postgres/provision';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';

const entry = join(import.meta.dirname, '../dist/main.js');
const stream = 'EVT_REGISTRY';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };

let dir: string;
let nats: NatsServer;
let postgres: PostgresServer;
let bus: Bus;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-archivist-'));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const login = { password: 'secret' };
  await provision(postgres.adminUrl, {
    database: 'spec',
    owners: [{ ...login, role: 'registry', schema: 'registry' }],
    reader: { ...login, role: 'gateway' },
  });
  bus = await Bus.connect({ servers: nats.url, name: 'archivist-spec' });
  await ensureStreams(bus);
  await archiveThree();
}, 120_000);

afterAll(async () => {
  await bus.close();
  await nats.stop();
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
});

function urlAs(role?: string): string {
  const url = new URL(postgres.adminUrl);
  url.pathname = '/spec';
  if (role) [url.username, url.password] = [role, 'secret'];
  return url.href;
}

async function archiveThree(): Promise<void> {
  const store = new EventStore(bus);
  for (const id of ['t1', 't2', 't3']) {
    const event = { type: 'TenantRegistered', data: { tenantId: id, name: id } };
    const options = { expectedPosition: 0, commandId: `cmd-${id}`, metadata };
    await store.append({ type: 'registry.tenant', id }, [event], options);
  }
  const archive = new Archive({ url: urlAs('registry'), schema: 'registry' });
  await archive.prepare();
  const archiver = new Archiver(bus, archive, 'registry', silent);
  await archiver.start();
  while ((await archive.head(stream)).sequence < 3) await new Promise(resolve => setTimeout(resolve, 25));
  await archiver.stop();
}

/** As `npm run archive` runs it, with the rights of the reader. */
function run(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { ...process.env, NATS_URL: nats.url, DATABASE_URL: urlAs('gateway') };
  return new Promise(resolve => {
    const child = execFile(process.execPath, [entry, ...args], { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

async function tamper(sql: string): Promise<void> {
  const client = new Client({ connectionString: urlAs() });
  await client.connect();
  await client.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
  await client.end();
}

test('verify says what it finds and exits with 1, or that all is sound', async () => {
  expect(await run('verify', '--context', 'registry', '--lag-seconds', '0')).toEqual({
    code: 0,
    output: 'EVT_REGISTRY: sound; archived to 3, stream ends at 3\n',
  });
  const flip = 'update registry.archive_events set payload = set_bit(payload, 9, 1 - get_bit(payload, 9))';
  await tamper(`${flip} where sequence = 2`);
  const { code, output } = await run('verify', '--context', 'registry');
  await tamper(`${flip} where sequence = 2`);
  expect(code).toBe(1);
  expect(output).toContain('altered at 2: archive and stream differ in payload (byte 1:');
});

test('restore brings a lost stream back', async () => {
  await bus.jsm.streams.delete(stream);
  expect((await run('verify', '--context', 'registry')).code).toBe(1);
  expect(await run('restore', '--context', 'registry')).toEqual({
    code: 0,
    output: 'EVT_REGISTRY holds the 3 events of its archive\n',
  });
  expect((await run('verify', '--context', 'registry', '--lag-seconds', '0')).code).toBe(0);
});

test('restore of what was never archived, and a wrong command line, say so', async () => {
  expect(await run('restore', '--context', 'billing')).toMatchObject({ code: 1 });
  expect(await run('burn')).toMatchObject({ code: 2, output: expect.stringContaining('Usage:') });
});
