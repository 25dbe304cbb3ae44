import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { delay } from './delay.js';

export type BusOptions = {
  readonly servers: string;
  readonly name: string;
  /** Text of a `.creds` file. */
  readonly credentials?: string;
};

/** Since 2.14 a consumer can start over; older servers ignore what they do not know without a word. */
const OLDEST_SERVER = { major: 2, minor: 14 };
/**
 * An answer from JetStream that takes longer counts as lost. Requests made while the server is away end
 * here too.
 */
export const REQUEST_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;

type Listener = () => void;

/**
 * One connection to NATS. It reconnects for ever; while it is away, `isUp` is false and requests time out.
 */
export class Bus {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  #up = true;
  readonly #reconnected = new Set<Listener>();

  private constructor(connection: NatsConnection, jsm: JetStreamManager) {
    this.connection = connection;
    this.js = jetstream(connection, { timeout: REQUEST_TIMEOUT_MS });
    this.jsm = jsm;
    void this.#watch();
  }

  /**
   * @throws Error when the server cannot be reached, refuses the credentials, is too old or has no
   * JetStream
   */
  static async connect(options: BusOptions): Promise<Bus> {
    const connection = await connect({
      servers: options.servers.split(','),
      name: options.name,
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      // A server that starts again with other keys refuses for a while: that is no reason to give up.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 250,
      reconnectJitter: 250,
      pingInterval: 10_000,
      maxPingOut: 2,
      // A server that is addressed by `tls://` and takes plain text only is refused.
      ...(options.servers.includes('tls://') && { tls: {} }),
      ...(options.credentials && {
        authenticator: credsAuthenticator(new TextEncoder().encode(options.credentials)),
      }),
    });
    try {
      assertRecent(connection);
      return new Bus(connection, await jetstreamManager(connection, { timeout: REQUEST_TIMEOUT_MS }));
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  get isUp(): boolean {
    return this.#up && !this.connection.isClosed();
  }

  /**
   * Waits for a connection that is away. What is sent meanwhile is lost more often than not, and would be waited for
   * in vain. @throws Error when it stays away as long as an answer may take
   */
  async ready(): Promise<void> {
    const deadline = Date.now() + REQUEST_TIMEOUT_MS;
    while (!this.isUp) {
      if (this.connection.isClosed() || Date.now() > deadline) throw new Error('NATS is not connected');
      await delay(20);
    }
  }

  /** Calls `listener` after each reconnection, until the returned function is called. */
  onReconnect(listener: Listener): () => void {
    this.#reconnected.add(listener);
    return () => this.#reconnected.delete(listener);
  }

  /** Sends what is still buffered, lets subscriptions finish, and closes. */
  async close(): Promise<void> {
    if (this.connection.isClosed()) return;
    if (this.isUp) await this.connection.drain();
    else await this.connection.close();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect') this.#up = false;
      if (type !== 'reconnect') continue;
      this.#up = true;
      for (const listener of this.#reconnected) listener();
    }
    this.#up = false;
  }
}

function serverIsAtLeast(connection: NatsConnection, major: number, minor: number): boolean {
  const [actualMajor = 0, actualMinor = 0] = (connection.info?.version ?? '').split('.').map(Number);
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}

function assertRecent(connection: NatsConnection): void {
  const { major, minor } = OLDEST_SERVER;
  if (serverIsAtLeast(connection, major, minor)) return;
  throw new Error(`NATS ${connection.info?.version ?? '?'} is too old: ${major}.${minor} or later is needed`);
}
