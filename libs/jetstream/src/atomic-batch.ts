import { JetStreamApiError } from '@nats-io/jetstream';
import { nuid } from '@nats-io/transport-node';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';
import { writtenHeaders } from './headers.js';

/** The server takes at most this many messages in one atomic batch. */
export const MAX_BATCH_MESSAGES = 1_000;
/** Part of the batch was lost on its way, so nothing of it was stored. */
export const BATCH_INCOMPLETE = 10176;

export type Outgoing = {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Lines of `Name: value`, each ended. */
  readonly headers: string;
};

export type Stored = {
  /** Sequence of the last of the messages; those before it have the sequences right before. */
  readonly seq: number;
  /** The message, which was alone, had been stored before under this id. */
  readonly duplicate?: boolean;
};

type Ack = Stored & {
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
};

/**
 * Messages that are stored side by side in one stream, all or none. Each goes to the server when the next one
 * comes, so that the server gets the batch ready while the rest of it is still being made; nothing counts
 * before `commit`. A batch that is never committed is forgotten by the server after a while.
 */
export class AtomicBatch {
  readonly #bus: Bus;
  readonly #messages: Outgoing[] = [];
  #sent = 0;
  #failure: Error | undefined;
  /** Given when a second message shows that it is more than one. */
  #id = '';

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Never throws: what cannot be sent is told by `commit`. */
  add(message: Outgoing): void {
    this.#messages.push(message);
    // What is sent while the connection is away is lost more often than not.
    if (!this.#bus.isUp || this.#failure) return;
    try {
      this.#sendAllButLast();
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  /**
   * Sends what is left; the batch cannot be used after it.
   * @throws JetStreamApiError when the server refuses; any other Error when it gave no answer, which leaves
   * open what became of the messages
   */
  async commit(): Promise<Stored> {
    if (this.#failure) throw this.#failure;
    if (!this.#bus.isUp) await this.#bus.ready();
    this.#sendAllButLast();
    const { subject, data, headers } = this.#messages.at(-1)!;
    const lines = this.#sent === 0 ? headers : `${headers}${this.#next()}Nats-Batch-Commit: 1\r\n`;
    const answer = await this.#bus.connection.request(subject, data, {
      headers: writtenHeaders(lines),
      timeout: REQUEST_TIMEOUT_MS,
    });
    const ack = answer.json<Ack>();
    if (ack.error) throw new JetStreamApiError(ack.error);
    return ack;
  }

  #sendAllButLast(): void {
    while (this.#sent < this.#messages.length - 1) {
      const { subject, data, headers } = this.#messages[this.#sent]!;
      const lines = headers + this.#next();
      this.#bus.connection.publish(subject, data, { headers: writtenHeaders(lines) });
      this.#sent += 1;
    }
  }

  /** Places the next message in the batch. */
  #next(): string {
    this.#id ||= nuid.next();
    return `Nats-Batch-Id: ${this.#id}\r\nNats-Batch-Sequence: ${this.#sent + 1}\r\n`;
  }
}
