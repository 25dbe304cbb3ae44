import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { freePort } from '@astro/devstack/ports';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { writeAddresses } from '@astro/chain/deployment/files';
import { provision } from '@astro/postgres/provision';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { chainEntities } from './projections.js';
import { LocalChain } from './local-chain.fixture.js';

/** A record and tables of their own, and the indexer that fills them. */
class Installation {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly env: Readonly<Record<string, string>>,
    private readonly nats: NatsServer,
    readonly database: pg.Pool,
  ) {}

  static async make(name: string): Promise<Installation> {
    const login = { role: name, password: 'secret' };
    await provision(postgres.adminUrl, {
      database: name,
      owners: [{ ...login, schema: 'chain' }],
      reader: { role: `${name}_reader`, password: 'secret' },
    });
    const url = new URL(postgres.adminUrl);
    [url.pathname, url.username, url.password] = [`/${name}`, name, 'secret'];
    const nats = await startNats({ dir: join(dir, `nats-${name}`) });
    const env = {
      NATS_URL: nats.url,
      DATABASE_URL: url.href,
      HTTP_PORT: String(await freePort()),
      LOG_LEVEL: 'warn',
      RPC_URL: chain.anvil.url,
      CHAIN_ADDRESSES_FILE: addresses,
      CHAIN_POLL_MS: '50',
    };
    return new Installation(env, nats, new pg.Pool({ connectionString: url.href }));
  }

  start(crashAt = ''): ChildProcess {
    const main = new URL('../dist/main.js', import.meta.url).pathname;
    this.#child = spawn(process.execPath, [main], {
      env: { ...process.env, ...this.env, ASTRO_CRASH_AT: crashAt },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return this.#child;
  }

  async untilCrash(crashAt: string): Promise<void> {
    expect(await once(this.start(crashAt), 'exit')).toEqual([null, 'SIGKILL']);
  }

  /** Killed as soon as a transfer stands in its table, whatever else it is doing. */
  async untilKilled(): Promise<void> {
    const child = this.start();
    const ended = once(child, 'exit');
    const isThere = () =>
      this.database.query('select 1 from chain.token_transfers limit 1').then(
        ({ rowCount }) => rowCount === 1,
        () => false,
      );
    while (!(await isThere())) await new Promise(resolve => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
  }

  /** Resolves when the tables say of every account what the chain says. */
  async untilMirrored(): Promise<void> {
    while (!(await this.#isMirrored())) await new Promise(resolve => setTimeout(resolve, 50));
  }

  async #isMirrored(): Promise<boolean> {
    const transfers = (await chain.logs()).length;
    const { rows } = await this.database
      .query<{ account: string; balance_atto: string; moved: string }>(
        `select "account", "balance_atto", (select max("as_of_block") from chain.token_transfers) as "moved"
           from chain.token_balances`,
      )
      .catch(() => ({ rows: [] }));
    if (rows.length === 0 || transfers === 0 || Number(rows[0]!.moved) !== (await chain.head())) return false;
    for (const { account, balance_atto } of rows)
      if (BigInt(balance_atto) !== (await chain.balanceOf(account))) return false;
    return true;
  }

  /** Every row of every table, but how far the record goes beyond the last block of ours. */
  async tables(): Promise<Readonly<Record<string, unknown>>> {
    const names = chainEntities.map(({ meta }) => meta.tableName).filter(name => !name.endsWith('_head'));
    const contents = names.map(async name => {
      const { rows } = await this.database.query<{ rows: unknown }>(
        `select coalesce(json_agg(t order by t::text), '[]') as "rows" from chain."${name}" as t`,
      );
      return [name, rows[0]!.rows] as const;
    });
    return Object.fromEntries(await Promise.all(contents));
  }

  async stop(): Promise<void> {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    await this.database.end();
    await this.nats.stop();
  }
}

let dir: string;
let addresses: string;
let postgres: PostgresServer;
let chain: LocalChain;
const installations: Installation[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-indexer-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  addresses = join(dir, 'addresses.json');
  [postgres, chain] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres') }),
    LocalChain.start(dir),
  ]);
  writeAddresses(addresses, chain.deployment);
}, 120_000);
afterAll(async () => {
  for (const installation of installations) await installation.stop();
  await chain?.stop();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

test('an indexer that is killed again and again ends with the tables of one that never was', async () => {
  const killed = await Installation.make('killed');
  installations.push(killed);
  await chain.transfer(12, 1);
  await killed.untilCrash('before-publish:1');
  await killed.untilCrash('after-puback:1');
  await killed.untilKilled();
  await chain.call('anvil_reorg', 6, []);
  await chain.transfer(8, 2);
  await killed.untilCrash('after-puback:1');
  await chain.call('anvil_reorg', 3, []);
  await chain.transfer(5, 3);
  await killed.untilCrash('before-publish:1');
  killed.start();
  await killed.untilMirrored();

  const untouched = await Installation.make('untouched');
  installations.push(untouched);
  untouched.start();
  await untouched.untilMirrored();
  const tables = await untouched.tables();
  expect(await killed.tables()).toEqual(tables);
  expect(tables['allocations']).toHaveLength(7);
  expect(tables['parameters']).toHaveLength(17);
}, 240_000);
