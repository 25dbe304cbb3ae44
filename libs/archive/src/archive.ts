import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { arrayParameter } from '@astro/postgres/array-parameter';
import { Pool, escapeIdentifier } from 'pg';
import { genesisOf, linkOf } from './chain.js';
import { IS_CHARGE, tablesOf } from './tables.js';

/** The last event of a stream that is in the archive. */
export type Head = { readonly sequence: number; readonly hash: Buffer };

export type ArchivedEvent = StoredMessage & { readonly hash: Buffer };

/** Somebody else wrote to the archive of the stream since its head was read. */
export class StaleHead extends Error {
  override readonly name = 'StaleHead';
}

/** The events do not follow the archive's head. */
export class GapInStream extends Error {
  override readonly name = 'GapInStream';
}

export type ArchiveOptions = {
  readonly url: string;
  /** Of the service whose events these are. */
  readonly schema: string;
  readonly warn?: (line: string) => void;
};

const MAX_CONNECTIONS = 2;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Rows of one page: with the largest of events, what a page of a stream may hold as well. */
const PAGE_SIZE = 1_000;
const PAGE_BYTES = 4 * 1_024 * 1_024;

/** The events of one context in PostgreSQL, every one chained to the one before by its hash. */
export class Archive {
  readonly #pool: Pool;
  readonly #schema: string;
  readonly #events: string;
  readonly #heads: string;

  constructor({ url, schema, warn }: ArchiveOptions) {
    this.#schema = schema;
    this.#events = `${escapeIdentifier(schema)}."archive_events"`;
    this.#heads = `${escapeIdentifier(schema)}."archive_heads"`;
    this.#pool = new Pool({
      connectionString: url,
      max: MAX_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
    });
    // A connection that breaks while idle is replaced; without a listener it would end the process.
    this.#pool.on('error', error => warn?.(error.message));
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  /** Makes the tables. Several processes may do this at once. */
  async prepare(): Promise<void> {
    await this.#pool.query(tablesOf(this.#schema));
  }

  async head(stream: string): Promise<Head> {
    const { rows } = await this.#pool.query<{ sequence: string; hash: Buffer }>(
      `select "sequence", "hash" from ${this.#heads} where "stream" = $1`,
      [stream],
    );
    const [row] = rows;
    return row
      ? { sequence: Number(row.sequence), hash: row.hash }
      : { sequence: 0, hash: genesisOf(stream) };
  }

  /**
   * Writes what follows `head`, and the new head with it, or nothing.
   * @throws GapInStream when the events do not follow the head one by one
   * @throws StaleHead when the head has moved
   */
  async append(stream: string, head: Head, events: readonly StoredMessage[]): Promise<Head> {
    const chained = chain(stream, head, events);
    const last = chained.at(-1);
    if (!last) return head;
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      await client.query(
        `insert into ${this.#heads} ("stream", "sequence", "hash") values ($1, 0, $2) on conflict do nothing`,
        [stream, genesisOf(stream)],
      );
      // Locks the row: a second archiver waits here, and then finds it moved.
      const { rowCount } = await client.query(
        `update ${this.#heads} set "sequence" = $1, "hash" = $2, "moved_at" = now()
          where "stream" = $3 and "sequence" = $4 and "hash" = $5`,
        [last.sequence, last.hash, stream, head.sequence, head.hash],
      );
      if (rowCount !== 1) throw new StaleHead(`the archive of ${stream} has moved past ${head.sequence}`);
      await client.query(
        `insert into ${this.#events}
           ("stream", "sequence", "subject", "headers", "payload", "recorded_at", "hash")
         select $1, * from unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[])`,
        [stream, ...columnsOf(chained)],
      );
      await client.query('commit');
      return { sequence: last.sequence, hash: last.hash };
    } catch (error) {
      broken = await client.query('rollback').then(
        () => undefined,
        (failure: Error) => failure,
      );
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** A page of the archived events above `afterSequence`, oldest first. */
  read(stream: string, afterSequence: number): Promise<readonly ArchivedEvent[]> {
    return this.#page(`${this.#events} where "stream" = $1 and "sequence" > $2`, [stream, afterSequence]);
  }

  /** A page of one tenant's charges above `afterSequence`, up to `throughSequence`, oldest first. */
  readCharges(
    stream: string,
    subjects: readonly string[],
    afterSequence: number,
    throughSequence: number,
  ): Promise<readonly ArchivedEvent[]> {
    // Each subject gives a page of its own, in the order of the index, which serves only who repeats its condition.
    const each = `select * from ${this.#events}
      where "stream" = $1 and "sequence" > $2 and "sequence" <= $3 and "subject" = "wanted" and ${IS_CHARGE}
      order by "sequence" limit ${PAGE_SIZE}`;
    const from = `unnest($4::text[]) as "wanted" cross join lateral (${each}) as "charges"`;
    return this.#page(from, [stream, afterSequence, throughSequence, subjects]);
  }

  async #page(
    from: string,
    values: readonly (string | number | readonly string[])[],
  ): Promise<readonly ArchivedEvent[]> {
    const { rows } = await this.#pool.query<Row>(
      `select "sequence", "subject", "headers", "payload", "recorded_at", "hash" from (
         select *, sum(length("headers") + length("payload")) over (order by "sequence") as "bytes"
           from (select * from ${from} order by "sequence" limit ${PAGE_SIZE}) as "page"
       ) as "sized" where "bytes" - length("headers") - length("payload") < ${PAGE_BYTES} order by "sequence"`,
      [...values],
    );
    return rows.map(row => ({
      sequence: Number(row.sequence),
      subject: row.subject,
      headers: row.headers,
      payload: row.payload,
      recordedAtNanos: BigInt(row.recorded_at),
      hash: row.hash,
    }));
  }
}

type Row = {
  readonly sequence: string;
  readonly subject: string;
  readonly headers: Buffer;
  readonly payload: Buffer;
  readonly recorded_at: string;
  readonly hash: Buffer;
};

function chain(stream: string, head: Head, events: readonly StoredMessage[]): readonly ArchivedEvent[] {
  let previous = head;
  return events.map(event => {
    if (event.sequence !== previous.sequence + 1) {
      throw new GapInStream(`${stream} has ${event.sequence} after ${previous.sequence}`);
    }
    previous = { sequence: event.sequence, hash: linkOf(previous.hash, event) };
    return { ...event, hash: previous.hash };
  });
}

const columns: readonly (readonly [type: string, value: (event: ArchivedEvent) => unknown])[] = [
  ['bigint', event => event.sequence],
  ['text', event => event.subject],
  ['bytea', event => event.headers],
  ['bytea', event => event.payload],
  ['bigint', event => event.recordedAtNanos],
  ['bytea', event => event.hash],
];

/** As binary arrays: the driver writes bytes as hexadecimal digits, of which the server makes bytes again. */
const columnsOf = (events: readonly ArchivedEvent[]): readonly (Buffer | string)[] =>
  columns.map(([type, value]) => arrayParameter(type, events.map(value)));
