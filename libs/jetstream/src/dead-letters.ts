import { decode, encode } from '@astro/messages/codec';
import type { DeadLetter } from '@astro/messages/runtime';
import type { Bus } from './bus.js';
import type { Delivered } from './delivered.js';
import { readPage } from './direct-read.js';
import { envelope } from './headers.js';

const DEAD_LETTER_TYPE = 'astro.runtime.v1.DeadLetter';
const MAX_REASON_LENGTH = 2_000;
const PAGE_SIZE = 100;

export type ListedDeadLetter = {
  readonly position: number;
  readonly recordedAt: Date;
  readonly letter: DeadLetter;
};

/** Messages that could not be handled, kept for thirty days with the reason. */
export class DeadLetters {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Resolves when it is durable. Safe to repeat: one letter for each message and consumer. */
  async publish(stream: string, consumer: string, message: Delivered, reason: string): Promise<void> {
    const letter: DeadLetter = {
      subject: message.subject,
      stream,
      sequence: message.position,
      consumer,
      deliveries: message.deliveries,
      reason: reason.slice(0, MAX_REASON_LENGTH),
      payload: message.data,
      headers: message.headers,
      recordedAt: message.recordedAt,
    };
    const headers = envelope({
      id: `${stream}-${message.position}-${consumer}`,
      typeName: DEAD_LETTER_TYPE,
      source: 'jetstream',
      subject: message.subject,
    });
    await this.#bus.js.publish(`dlq.${consumer}`, encode(DEAD_LETTER_TYPE, letter), { headers });
  }

  /** A page of them, oldest first, of one consumer or of all. */
  async list(
    options: { readonly consumer?: string; readonly afterPosition?: number } = {},
  ): Promise<readonly ListedDeadLetter[]> {
    const page = await readPage(this.#bus, 'DEAD_LETTERS', {
      seq: (options.afterPosition ?? 0) + 1,
      batch: PAGE_SIZE,
      next_by_subj: `dlq.${options.consumer ?? '*'}`,
    });
    return page.map(({ seq, time, data }) => ({
      position: seq,
      recordedAt: time,
      letter: decode(DEAD_LETTER_TYPE, data) as DeadLetter,
    }));
  }
}
