import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { EventStore } from '@astro/jetstream/event-store';
import { newId } from '@astro/event-sourcing/ids';
import { Platform } from './platform.js';
import { StateFolder } from './state.js';

const stateDir = mkdtempSync(join(tmpdir(), 'astro-platform-spec-'));
const startLimitMs = 60_000;
const tenantId = newId('tenant');
const tenant = { type: 'registry.tenant', id: tenantId } as const;
let platform: Platform | undefined;

/** The servers without any service: what this file is about is the ground that they stand on. */
const start = (log: (source: string, line: string) => void = () => undefined) =>
  Platform.start({ stateDir, infra: 'embedded', services: [], log });

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  platform = await start();
}, startLimitMs);

afterAll(async () => {
  await platform?.stop();
  rmSync(stateDir, { recursive: true, force: true });
}, startLimitMs);

describe('a started platform', () => {
  test('has a schema for each service that its role may write, and a gateway that may not', async () => {
    await query(platform!.databaseUrlOf('billing'), 'CREATE TABLE billing.probe AS SELECT 1 AS value');
    expect(await query(platform!.databaseUrlOf('gateway'), 'SELECT value FROM billing.probe')).toEqual([1]);
    await expect(query(platform!.databaseUrlOf('gateway'), 'DELETE FROM billing.probe')).rejects.toThrow(
      'denied',
    );
    await expect(query(platform!.databaseUrlOf('registry'), 'SELECT 1 FROM billing.probe')).rejects.toThrow(
      'denied',
    );
  });

  test('has the streams, and an event store that takes events', async () => {
    const store = new EventStore(await platform!.connectBus());
    await store.append(tenant, [{ type: 'TenantRegistered', data: { tenantId, name: 'Ada' } }], {
      expectedPosition: 0,
      commandId: 'cmd_1',
      metadata: { correlationId: 'c', causationId: 'cmd_1', actor: 'service:spec' },
    });
    expect(await store.load(tenant)).toHaveLength(1);
  });

  test('has its folder for itself', async () => {
    await expect(start()).rejects.toThrow(`Astro already runs from ${stateDir}`);
  });

  test('gets its NATS server back when that is killed, with all that it stored', async () => {
    const store = new EventStore(await platform!.connectBus());
    const natsPid = () =>
      platform!.state.read<{ name: string; pid: number }[]>('processes')!.find(({ name }) => name === 'nats')
        ?.pid;
    const before = natsPid()!;
    process.kill(before, 'SIGKILL');
    while (natsPid() === undefined || natsPid() === before) await sleep(20);
    expect(await new EventStore(await platform!.connectBus()).load(tenant)).toHaveLength(1);
    expect(await store.load(tenant)).toHaveLength(1);
  }, 30_000);

  test('gets its PostgreSQL back when that is killed, with all that was committed', async () => {
    const url = platform!.databaseUrlOf('gateway');
    const startedAt = () => query(platform!.adminDatabaseUrl, 'SELECT pg_postmaster_start_time()::text');
    const [before] = await startedAt();
    platform!.signalServer('postgres', 'SIGKILL');
    // Refused connections are what everybody meets until it is back.
    const answer = () => startedAt().catch((error: unknown) => [error]);
    let [now] = await answer();
    for (; now === before || typeof now !== 'string'; [now] = await answer()) await sleep(50);
    expect(await query(url, 'SELECT value FROM billing.probe')).toEqual([1]);
  }, 60_000);

  test(
    'continues after a stop: same addresses, same keys, same data',
    async () => {
      const addresses = () => [
        platform!.natsUrl,
        platform!.adminDatabaseUrl,
        platform!.databaseUrlOf('billing'),
      ];
      const before = addresses();
      const lines: string[] = [];
      await platform!.stop();
      platform = await start((source, line) => lines.push(`${source}: ${line}`));
      expect(addresses()).toEqual(before);
      expect(await query(platform.databaseUrlOf('gateway'), 'SELECT value FROM billing.probe')).toEqual([1]);
      expect(await new EventStore(await platform.connectBus()).load(tenant)).toHaveLength(1);
      expect(lines).toContain('platform: starting PostgreSQL and NATS');
    },
    startLimitMs,
  );

  test(
    'leaves nothing when it is forgotten',
    async () => {
      await platform!.forget();
      expect(existsSync(stateDir)).toBe(false);
      await expect(query(platform!.adminDatabaseUrl, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    },
    startLimitMs,
  );
});

test(
  'a start that fails stops what it had started',
  async () => {
    const lines: string[] = [];
    const starting = Platform.start({
      stateDir,
      infra: 'embedded',
      services: ['billing'],
      env: { billing: { NATS_URL: 'not a url' } },
      log: (source, line) => lines.push(`${source}: ${line}`),
    });
    await expect(starting).rejects.toThrow('configuration: NATS_URL');
    expect(lines).toContain('platform: waiting for billing…');
    expect(lines.at(-1)).toBe('platform: stopping the servers');
    expect(StateFolder.isOne(stateDir)).toBe(true);
    StateFolder.open(stateDir).forget();
  },
  startLimitMs,
);
