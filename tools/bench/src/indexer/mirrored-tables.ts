import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { BatchChain } from './batch-chain.js';

/** Where an indexer keeps what the chain says. */
export type MirroredTables = {
  /** With a text `id`: `<block>/<index of the log>`. */
  readonly transfers: string;
  readonly balances: string;
  readonly balanceColumn: string;
};

const pollMs = 5;

/** @throws Error when the row is not there after `limitMs`, or `signal` is aborted */
export async function untilRow(
  database: Pool,
  { transfers }: MirroredTables,
  id: string,
  limitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await isThere(database, transfers, id))) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) throw new Error(`${transfers} has no ${id} after ${limitMs} ms`);
    await sleep(pollMs);
  }
}

/** A table that its indexer has not made yet holds nothing. */
async function isThere(database: Pool, table: string, id: string): Promise<boolean> {
  try {
    const { rowCount } = await database.query(`select 1 from ${table} where "id" = $1`, [id]);
    return rowCount === 1;
  } catch (error) {
    if ((error as { readonly code?: string }).code === '42P01') return false;
    throw error;
  }
}

/** @throws Error when a transfer is missing or too many, or an account has another balance than on the chain */
export async function assertMirrored(
  database: Pool,
  { transfers, balances, balanceColumn }: MirroredTables,
  chain: BatchChain,
): Promise<void> {
  const { rows: counted } = await database.query<{ count: string }>(`select count(*) from ${transfers}`);
  const logged = await chain.transfers();
  if (Number(counted[0]!.count) !== logged)
    throw new Error(`${transfers} has ${counted[0]!.count} rows of ${logged} transfers`);
  const onChain = await chain.balances();
  const { rows } = await database.query<{ account: string; balance: string }>(
    `select "account", "${balanceColumn}"::text as "balance" from ${balances}`,
  );
  if (rows.length !== onChain.size) throw new Error(`${rows.length} of ${onChain.size} accounts are there`);
  for (const { account, balance } of rows)
    if (onChain.get(account) !== BigInt(balance))
      throw new Error(`${account} has ${onChain.get(account)} on the chain, and ${balance} in ${balances}`);
}
