import { sign } from 'node:crypto';
import { newId } from '@astro/event-sourcing/ids';
import type {
  AuditOrders,
  DesiredState,
  Heartbeat,
  LogsWritten,
  NodeReport,
  NodeTelemetry,
  TaskProgressed,
} from '@astro/messages/agent';
import { catalogue } from '@astro/messages/catalogue';
import { decode, encode } from '@astro/messages/codec';
import { privateKeyOf } from '@astro/messages/nkey';
import { jetstream, JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream';
import {
  connect,
  errors,
  wsconnect,
  type Auth,
  type ConnectionOptions,
  type Msg,
  type NatsConnection,
} from '@nats-io/transport-node';
import { agentInbox } from './agent-account.js';
import { backOffMs, delay } from './delay.js';
import { AUDIT_ORDERS_TYPE, DESIRED_STATE_TYPE } from './desired-state.js';
import { ExchangeListener, type TakeExchange } from './exchange-listener.js';
import { envelope } from './headers.js';
import { assertToken } from './subjects.js';

export type AgentLinkOptions = {
  /** `nats://`, `tls://`, `ws://` and `wss://`, separated by commas. WebSockets are tried when nothing else works. */
  readonly servers: string;
  readonly nodeId: string;
  /** Asked for at every (re)connection, so that a renewed JWT and another key are used. */
  access(): AgentAccess;
  readonly name: string;
  /** Told about desired states that cannot be read, and about the connection. */
  readonly log?: (line: string) => void;
};

export type AgentAccess = {
  readonly jwt: string;
  /** The secret key that the JWT is for: 32 bytes. */
  readonly seed32: Uint8Array;
};

type Desired = (state: DesiredState, revision: number) => void;

const ANSWER_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * With the back-off and the waiting, a report is tried for a minute or two; the caller decides what is
 * worth more.
 */
const REPORT_ATTEMPTS = 8;
const REPORT_BACK_OFF = { baseMs: 250, maxMs: 10_000 };

/** The agent's side of the bus. It may say and hear what is its node's own, and nothing else. */
export class AgentLink {
  readonly #connection: NatsConnection;
  readonly #js: JetStreamClient;
  readonly #nodeId: string;
  readonly #log: (line: string) => void;
  readonly #desired = new Set<Desired>();
  readonly #reconnected = new Set<() => void>();
  readonly #refused = new Set<() => void>();
  #revision = 0;
  #up = true;

  private constructor(connection: NatsConnection, { nodeId, log = () => undefined }: AgentLinkOptions) {
    this.#connection = connection;
    this.#js = jetstream(connection, { timeout: ANSWER_TIMEOUT_MS });
    this.#nodeId = nodeId;
    this.#log = log;
    connection.subscribe(`agent.${nodeId}.desired`, {
      callback: (error, message) => {
        if (error) log(`desired states do not arrive: ${error.message}`);
        else this.#receive(message);
      },
    });
    void this.#watch();
  }

  /** @throws Error when no server answers or the JWT is refused */
  static async connect(options: AgentLinkOptions): Promise<AgentLink> {
    const connection = await connectToAny(options.servers.split(','), {
      name: options.name,
      authenticator: nonce => loginOf(options.access(), nonce),
      inboxPrefix: agentInbox(options.nodeId),
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      // An expired JWT is refused until a renewed one is there: that is no reason to give up.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 500,
      reconnectJitter: 500,
      pingInterval: 15_000,
      maxPingOut: 2,
    });
    return new AgentLink(connection, options);
  }

  /** Connects anew with what `access` gives by now, before the server would end the connection for what it was. */
  async useNewAccess(): Promise<void> {
    if (this.isUp) await this.#connection.reconnect();
  }

  get isUp(): boolean {
    return this.#up && !this.#connection.isClosed();
  }

  /** The newest desired state that has arrived on this connection; 0 for none. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Says something about the node; resolves when it is durable. Tried again a bounded number of times,
   * under one id, so that within two minutes it is stored once.
   * @throws Error when it could not be made durable
   */
  async report<Name extends NodeReport['type']>(
    name: Name,
    payload: Extract<NodeReport, { type: Name }>['data'],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { subject, data, headers } = this.#message('report', name, payload);
    for (let attempt = 1; ; attempt++) {
      await this.#untilUp(options.signal);
      try {
        await this.#js.publish(subject, data, { headers });
        return;
      } catch (error) {
        if (error instanceof JetStreamApiError || attempt === REPORT_ATTEMPTS || options.signal?.aborted) {
          throw new Error(`${name} was not taken`, { cause: error });
        }
        await delay(backOffMs(attempt, REPORT_BACK_OFF), options.signal);
      }
    }
  }

  /** Says that the node is alive. Not repeated: the next one says the same. */
  heartbeat(payload: Heartbeat): void {
    this.#publish('Heartbeat', payload);
  }

  /** Not repeated: what is lost of a log is lost. */
  logs(payload: LogsWritten): void {
    this.#publish('LogsWritten', payload);
  }

  /** Not repeated: the next one says more. */
  progress(payload: TaskProgressed): void {
    this.#publish('TaskProgressed', payload);
  }

  #publish(name: NodeTelemetry['type'], payload: unknown): void {
    if (!this.isUp) return;
    const { subject, data, headers } = this.#message('telemetry', name, payload);
    this.#connection.publish(subject, data, { headers });
  }

  /**
   * Calls back with the whole desired state whenever it changes. Report `DesiredStateWanted` to be told it
   * now.
   */
  onDesired(callback: Desired): void {
    this.#desired.add(callback);
  }

  /** Calls back with all that a validator was drawn to run again. Report `AuditOrdersWanted` to be told it now. */
  onAudits(callback: (orders: AuditOrders) => void): void {
    this.#connection.subscribe(`agent.${assertToken(this.#nodeId)}.audits`, {
      callback: (error, message) => {
        if (error) return this.#log(`audits do not arrive: ${error.message}`);
        if (message.headers?.has('KV-Operation')) return;
        const orders = this.#decoded(AUDIT_ORDERS_TYPE, message.data);
        if (orders) callback(orders as AuditOrders);
      },
    });
  }

  /** Calls back after each reconnection: what changed meanwhile was missed, so ask for it. */
  onReconnect(callback: () => void): void {
    this.#reconnected.add(callback);
  }

  /** Calls back each time that the server does not let the node in any more: it needs other credentials. */
  onRefused(callback: () => void): void {
    this.#refused.add(callback);
  }

  /** Requests to servers that the node runs, each with the exchange in which it is answered. */
  onExchange(take: TakeExchange): void {
    new ExchangeListener(this.#connection, assertToken(this.#nodeId), take);
  }

  async close(): Promise<void> {
    if (this.#connection.isClosed()) return;
    if (this.isUp) await this.#connection.drain();
    else await this.#connection.close();
  }

  /** What is sent while the connection is away is lost more often than not, so it waits, up to a limit. */
  async #untilUp(signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + CONNECT_TIMEOUT_MS;
    while (!this.isUp && !signal?.aborted && Date.now() < deadline) await delay(100, signal);
  }

  #message(kind: 'report' | 'telemetry', name: string, payload: unknown) {
    const entry = catalogue.find(candidate => candidate.kind === kind && candidate.name === name);
    if (!entry) throw new Error(`there is no ${kind} ${name}`);
    const root = kind === 'report' ? 'agent' : 'telemetry';
    return {
      subject: `${root}.${assertToken(this.#nodeId)}.${name}`,
      data: encode(entry.typeName, payload),
      headers: envelope({
        id: newId('rpt'),
        typeName: entry.typeName,
        source: 'node-agent',
        subject: `node/${this.#nodeId}`,
      }),
    };
  }

  #receive({ data, headers }: Msg): void {
    if (headers?.has('KV-Operation')) return;
    const revision = Number(headers?.get('Nats-Sequence') ?? 0);
    if (revision !== 0 && revision <= this.#revision) return;
    const state = this.#decoded(DESIRED_STATE_TYPE, data);
    if (!state) return;
    this.#revision = revision;
    for (const callback of this.#desired) callback(state as DesiredState, revision);
  }

  #decoded(typeName: string, data: Uint8Array): unknown {
    try {
      return decode(typeName, data);
    } catch (error) {
      this.#log(`a ${typeName} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'disconnect') this.#up = false;
      if (status.type === 'error' && isRefusal(status.error)) this.#tell(this.#refused);
      if (status.type !== 'reconnect') continue;
      this.#up = true;
      this.#revision = 0;
      this.#log('connected again');
      this.#tell(this.#reconnected);
    }
    this.#up = false;
  }

  #tell(callbacks: ReadonlySet<() => void>): void {
    for (const callback of callbacks) callback();
  }
}

const isRefusal = (error: Error): boolean =>
  error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;

/** With the crypto of Node itself, which is a hundred times faster than the client's own. */
function loginOf({ jwt, seed32 }: AgentAccess, nonce = ''): Auth {
  const signature = sign(null, Buffer.from(nonce), privateKeyOf(seed32));
  return { jwt, sig: signature.toString('base64url') };
}

/** Servers are reached over one transport at a time. @throws what the last one says when none lets the node in */
async function connectToAny(servers: readonly string[], options: ConnectionOptions): Promise<NatsConnection> {
  const isWebSocket = (server: string) => /^wss?:/.test(server);
  const plain = servers.filter(server => !isWebSocket(server));
  const ways = [
    // A server that is addressed by `tls://` and takes plain text only is refused.
    { reach: connect, servers: plain, ...(plain.some(server => server.startsWith('tls:')) && { tls: {} }) },
    { reach: wsconnect, servers: servers.filter(isWebSocket) },
  ].filter(way => way.servers.length > 0);
  for (const [index, { reach, ...way }] of ways.entries()) {
    try {
      return await reach({ ...options, ...way });
    } catch (error) {
      if (index === ways.length - 1) throw error;
    }
  }
  throw new Error('no server is named');
}
