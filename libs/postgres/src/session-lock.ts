import { Client } from 'pg';

const connectTimeoutMs = 5_000;

/** A lock that one process at a time holds, for as long as its connection lives. */
export class SessionLock {
  private constructor(private readonly client: Client) {}

  /** Undefined when another process holds it. */
  static async take(url: string, name: string): Promise<SessionLock | undefined> {
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    const lock = new SessionLock(client);
    // Without the connection the lock is gone. What it protected finds out by its fence, not here.
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [name],
    );
    if (rows[0]?.taken) return lock;
    await lock.release();
    return undefined;
  }

  async release(): Promise<void> {
    await this.client.end();
  }
}
