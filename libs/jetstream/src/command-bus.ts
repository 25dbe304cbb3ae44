import type { Metadata } from '@astro/event-sourcing/recorded';
import type { Directed } from '@astro/event-sourcing/reactor';
import { decode, encode, typeNameOf } from '@astro/messages/codec';
import type { Outcome } from '@astro/messages/runtime';
import { JetStreamApiError } from '@nats-io/jetstream';
import { BATCH_INCOMPLETE, type Stored } from './atomic-batch.js';
import type { Bus } from './bus.js';
import { backOffMs, delay } from './delay.js';
import { readPage } from './direct-read.js';
import { GroupCommit } from './group-commit.js';
import { envelopeLines, subjectOf } from './headers.js';
import { assertToken, commandSubject, contextOf } from './subjects.js';

export type { Outcome } from '@astro/messages/runtime';

export const OUTCOME_TYPE = 'astro.runtime.v1.Outcome';

/** Requests of one process that may wait for their outcome at the same time. */
const MAX_WAITING = 10_000;
const SEND_ATTEMPTS = 3;
const SEND_BACK_OFF = { baseMs: 100, maxMs: 1_000 };

/** One request for an outcome; the same command may be asked for more than once. */
class Waiter {
  #settle: (outcome?: Outcome) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #outcome: Promise<Outcome | undefined>;

  constructor(readonly forget: () => void) {
    this.#outcome = new Promise(resolve => (this.#settle = resolve));
  }

  settle(outcome: Outcome): void {
    this.#settle(outcome);
  }

  outcomeBefore(deadline: number): Promise<Outcome | undefined> {
    this.#timer = setTimeout(this.#settle, Math.max(0, deadline - Date.now()));
    return this.#outcome;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.forget();
  }
}

/**
 * Sends commands to the aggregates of any context, and hears what became of them. Those sent at the same
 * time share a write.
 */
export class CommandBus {
  readonly #bus: Bus;
  readonly #requester: string;
  readonly #commits = new Map<string, GroupCommit>();
  readonly #waiting = new Map<string, Set<Waiter>>();
  #waitingCount = 0;
  #listening = false;

  /** @param requester names this process: outcomes come back under it, so two processes must not share it */
  constructor(bus: Bus, requester: string) {
    this.#bus = bus;
    this.#requester = assertToken(requester);
  }

  /** Resolves when the command is durable. Safe to repeat: within two minutes the same id is stored once. */
  async send(
    command: Directed,
    options: { readonly id: string; readonly metadata: Metadata },
  ): Promise<void> {
    await this.#publish(command, options);
  }

  /**
   * Sends the command and waits for its outcome. Undefined means that it is not known in time: the command is
   * durable and will still be decided.
   * @throws Error when the command could not be made durable, or too many requests already wait
   */
  async request(
    command: Directed,
    options: { readonly id: string; readonly metadata: Metadata; readonly timeoutMs: number },
  ): Promise<Outcome | undefined> {
    this.#listen();
    const deadline = Date.now() + options.timeoutMs;
    const waiter = this.#wait(options.id);
    try {
      const { duplicate } = await this.#publish(command, options);
      // A command sent before may have been decided before anybody here listened.
      const known = duplicate ? await this.#lookUp(options.id) : undefined;
      if (known) return known;
      const outcome = await waiter.outcomeBefore(deadline);
      // Outcomes that were published while the connection was away are in the stream only.
      return outcome ?? (await this.#lookUp(options.id));
    } finally {
      waiter.end();
    }
  }

  async #publish(
    command: Directed,
    options: { readonly id: string; readonly metadata: Metadata },
  ): Promise<Stored> {
    const { to, type, data } = command;
    const typeName = typeNameOf('command', to.type, type);
    const context = contextOf(to.type);
    const headers = envelopeLines({
      id: options.id,
      typeName,
      source: context,
      subject: subjectOf(to),
      metadata: options.metadata,
      requester: this.#requester,
    });
    const messages = [{ subject: commandSubject(to, type), data: encode(typeName, data), headers }];
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#commitOf(context).store({ messages, key: options.id });
      } catch (error) {
        const isRefused = error instanceof JetStreamApiError && error.code !== BATCH_INCOMPLETE;
        if (isRefused || attempt === SEND_ATTEMPTS) {
          throw new Error(`${type} could not be sent`, { cause: error });
        }
        await delay(backOffMs(attempt, SEND_BACK_OFF));
      }
    }
  }

  #commitOf(context: string): GroupCommit {
    const known = this.#commits.get(context);
    if (known) return known;
    const commit = new GroupCommit(this.#bus);
    this.#commits.set(context, commit);
    return commit;
  }

  #wait(commandId: string): Waiter {
    if (this.#waitingCount >= MAX_WAITING)
      throw new Error(`${MAX_WAITING} requests already wait for outcomes`);
    this.#waitingCount += 1;
    const waiters = this.#waiting.get(commandId) ?? new Set();
    this.#waiting.set(commandId, waiters);
    const waiter = new Waiter(() => {
      this.#waitingCount -= 1;
      waiters.delete(waiter);
      if (waiters.size === 0) this.#waiting.delete(commandId);
    });
    waiters.add(waiter);
    return waiter;
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#bus.connection.subscribe(`out.${this.#requester}.>`, {
      callback: (error, message) => {
        const waiters = error ? undefined : this.#waiting.get(message.subject.split('.')[2] ?? '');
        if (!waiters) return;
        const outcome = decode(OUTCOME_TYPE, message.data) as Outcome;
        for (const waiter of waiters) waiter.settle(outcome);
      },
    });
  }

  /** The outcome of a command, whoever asked for it, as long as the stream keeps it: two minutes. */
  async #lookUp(commandId: string): Promise<Outcome | undefined> {
    const subject = `out.*.${assertToken(commandId)}`;
    const [found] = await readPage(this.#bus, 'OUTCOMES', { seq: 1, batch: 1, next_by_subj: subject });
    return found && (decode(OUTCOME_TYPE, found.data) as Outcome);
  }
}
