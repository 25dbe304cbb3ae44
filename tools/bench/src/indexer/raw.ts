import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { startDatabaseServer } from '../database-server.js';
import type { BatchChain } from './batch-chain.js';
import { assertMirrored } from './mirrored-tables.js';

type Log = {
  readonly topics: readonly [string, string, string];
  readonly data: string;
  readonly blockNumber: string;
  readonly logIndex: string;
  readonly blockTimestamp: string;
};

const blocksPerRequest = 20;
const nobody = `0x${'0'.repeat(40)}`;

/**
 * Transfers a second of `eth_getLogs`, decoding and `unnest` by hand: no record beside the tables, no check of what the
 * endpoint says, nothing that could be taken back, and nothing that goes on after a crash.
 */
export async function rawPerSecond(dir: string, chain: BatchChain, transfers: number): Promise<number> {
  const server = await startDatabaseServer(join(dir, 'postgres'), ['chain']);
  const client = new Client({ connectionString: server.urlOf('chain') });
  await client.connect();
  await client.query(
    `create table chain.raw_transfers
       ("id" text primary key, "from" text, "to" text, "amount" numeric(78,0), "at" timestamptz);
     create table chain.raw_balances ("account" text primary key, "amount" numeric(78,0))`,
  );
  try {
    const head = await chain.head();
    const startedMs = performance.now();
    let reading = logsOf(chain, 1, head);
    for (let from = 1; from <= head; from += blocksPerRequest) {
      const logs = await reading;
      if (from + blocksPerRequest <= head) reading = logsOf(chain, from + blocksPerRequest, head);
      await write(client, logs);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const tables = {
      transfers: 'chain.raw_transfers',
      balances: 'chain.raw_balances',
      balanceColumn: 'amount',
    };
    const database = new Pool({ connectionString: server.urlOf('chain') });
    await assertMirrored(database, tables, chain);
    await database.end();
    return transfers / seconds;
  } finally {
    await client.end();
    await server.stop();
  }
}

async function logsOf({ pool, token }: BatchChain, from: number, head: number): Promise<readonly Log[]> {
  const to = Math.min(head, from + blocksPerRequest - 1);
  const range = { fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` };
  return (await pool.call('eth_getLogs', { address: token, ...range })) as readonly Log[];
}

async function write(client: Client, logs: readonly Log[]): Promise<void> {
  const decoded = logs.map(({ topics: [, from, to], data, blockNumber, logIndex, blockTimestamp }) => ({
    id: `${Number(blockNumber)}/${Number(logIndex)}`,
    from: `0x${from.slice(26)}`,
    to: `0x${to.slice(26)}`,
    amount: BigInt(data),
    at: new Date(Number(blockTimestamp) * 1_000).toISOString(),
  }));
  const changes = new Map<string, bigint>();
  for (const { from, to, amount } of decoded) {
    if (from !== nobody) changes.set(from, (changes.get(from) ?? 0n) - amount);
    changes.set(to, (changes.get(to) ?? 0n) + amount);
  }
  await client.query('begin');
  await client.query(
    `insert into chain.raw_transfers
       select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[])`,
    [
      ...[decoded.map(({ id }) => id), decoded.map(({ from }) => from), decoded.map(({ to }) => to)],
      ...[decoded.map(({ amount }) => amount), decoded.map(({ at }) => at)],
    ],
  );
  await client.query(
    `insert into chain.raw_balances as b select * from unnest($1::text[], $2::numeric[])
       on conflict ("account") do update set "amount" = b."amount" + excluded."amount"`,
    [[...changes.keys()], [...changes.values()]],
  );
  await client.query('commit');
}
