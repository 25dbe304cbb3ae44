import type { Pool, PoolClient } from 'pg';

/** What is to be done, whatever it costs to have it done. */
export type Intent = {
  readonly to: string;
  /** Call data in hex. */
  readonly data: string;
  readonly valueWei: bigint;
};

/** One signed transaction. All attempts of one entry have its nonce, so that the chain takes one of them. */
export type Attempt = {
  readonly hash: string;
  readonly raw: string;
  readonly feeWei: bigint;
  readonly tipWei: bigint;
};

export type Settled = {
  readonly hash: string;
  readonly block: number;
  /** False: the chain took the transaction, and it was reverted. */
  readonly succeeded: boolean;
};

export type Entry = {
  readonly key: string;
  readonly intent: Intent;
  readonly account: string;
  readonly nonce: number;
  readonly gas: bigint;
  /** Oldest first. */
  readonly attempts: readonly Attempt[];
  readonly settled: Settled | undefined;
};

/** The same business key was used for something else: one of the two is a mistake. */
export class BusinessKeyReused extends Error {
  override readonly name = 'BusinessKeyReused';
  constructor(readonly key: string) {
    super(`${key} already stands for another transaction`);
  }
}

type Row = {
  readonly key: string;
  readonly account: string;
  readonly nonce: string;
  readonly target: string;
  readonly data: string;
  readonly value_wei: string;
  readonly gas: string;
  readonly attempts: readonly { hash: string; raw: string; feeWei: string; tipWei: string }[];
  readonly settled: Settled | null;
};

/** How long another sender of the same account may take to sign. */
const lockTimeoutMs = 30_000;

/**
 * Every transaction that was ever meant, in PostgreSQL, one row for each business key: written before it is sent, so
 * that after a crash the same transaction is sent again and no other.
 */
export class TransactionJournal {
  readonly #pool: Pool;
  readonly #table: string;

  /** @param schema one that the role of the pool may create tables in */
  constructor(pool: Pool, schema: string) {
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(schema)) throw new Error(`not the name of a schema: ${schema}`);
    this.#pool = pool;
    this.#table = `"${schema}"."chain_transactions"`;
  }

  /** Makes the table where it is not there. */
  async prepare(): Promise<void> {
    await this.#pool.query(
      `create table if not exists ${this.#table} (
         "key" text primary key,
         "chain_id" bigint not null,
         "account" text not null,
         "nonce" bigint not null,
         "target" text not null,
         "data" text not null,
         "value_wei" numeric(78,0) not null,
         "gas" numeric(78,0) not null,
         "attempts" jsonb not null,
         "settled" jsonb,
         "planned_at" timestamptz not null default now(),
         unique ("chain_id", "account", "nonce")
       )`,
    );
  }

  async find(key: string): Promise<Entry | undefined> {
    const { rows } = await this.#pool.query<Row>(`select * from ${this.#table} where "key" = $1`, [key]);
    return rows[0] && entryOf(rows[0]);
  }

  /** Entries of an account that the chain has not settled, by nonce. */
  async open(chainId: number, account: string): Promise<readonly Entry[]> {
    const { rows } = await this.#pool.query<Row>(
      `select * from ${this.#table} where "chain_id" = $1 and "account" = $2 and "settled" is null
        order by "nonce"`,
      [chainId, account],
    );
    return rows.map(entryOf);
  }

  /**
   * The entry of `key`: the one that stands there, or the one that `sign` makes for the next nonce. One process at a
   * time plans for an account. @throws BusinessKeyReused
   * @param chainNonce the account's next by the chain, which other wallets may have moved on
   */
  async plan(
    chainId: number,
    account: string,
    key: string,
    intent: Intent,
    sign: (nonce: number) => Promise<{ readonly gas: bigint; readonly attempt: Attempt }>,
    chainNonce: number,
  ): Promise<Entry> {
    return this.#locked(`transactions of ${chainId}:${account}`, async client => {
      const { rows } = await client.query<Row>(`select * from ${this.#table} where "key" = $1`, [key]);
      if (rows[0]) return sameAs(intent, entryOf(rows[0]));
      const { rows: last } = await client.query<{ next: string }>(
        `select coalesce(max("nonce") + 1, 0) as "next" from ${this.#table} where "chain_id" = $1 and "account" = $2`,
        [chainId, account],
      );
      const nonce = Math.max(chainNonce, Number(last[0]!.next));
      const { gas, attempt } = await sign(nonce);
      await client.query(
        `insert into ${this.#table}
           ("key", "chain_id", "account", "nonce", "target", "data", "value_wei", "gas", "attempts")
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [key, chainId, account, nonce, intent.to, intent.data, intent.valueWei, gas, written([attempt])],
      );
      return { key, intent, account, nonce, gas, attempts: [attempt], settled: undefined };
    });
  }

  /** Written before the replacement is sent. */
  async addAttempt(entry: Entry, attempt: Attempt): Promise<Entry> {
    const attempts = [...entry.attempts, attempt];
    await this.#pool.query(`update ${this.#table} set "attempts" = $2 where "key" = $1`, [
      entry.key,
      written(attempts),
    ]);
    return { ...entry, attempts };
  }

  async settle(entry: Entry, settled: Settled): Promise<void> {
    await this.#pool.query(`update ${this.#table} set "settled" = $2 where "key" = $1`, [
      entry.key,
      JSON.stringify(settled),
    ]);
  }

  async #locked<T>(name: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('begin');
      await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
      await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [name]);
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      // A connection whose transaction failed is thrown away with it.
      client.release(failure);
    }
  }
}

function sameAs(intent: Intent, entry: Entry): Entry {
  const { to, data, valueWei } = entry.intent;
  if (to !== intent.to || data !== intent.data || valueWei !== intent.valueWei)
    throw new BusinessKeyReused(entry.key);
  return entry;
}

const written = (attempts: readonly Attempt[]): string =>
  JSON.stringify(attempts, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

const entryOf = (row: Row): Entry => ({
  key: row.key,
  intent: { to: row.target, data: row.data, valueWei: BigInt(row.value_wei) },
  account: row.account,
  nonce: Number(row.nonce),
  gas: BigInt(row.gas),
  attempts: row.attempts.map(({ hash, raw, feeWei, tipWei }) => ({
    hash,
    raw,
    feeWei: BigInt(feeWei),
    tipWei: BigInt(tipWei),
  })),
  settled: row.settled ?? undefined,
});
