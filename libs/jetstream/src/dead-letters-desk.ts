import { catalogue } from '@astro/messages/catalogue';
import { decode, encode } from '@astro/messages/codec';
import type { DeadLetter, DeadLetterSettled } from '@astro/messages/runtime';
import { JetStreamApiError } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import { DeadLetters, type ListedDeadLetter } from './dead-letters.js';
import { replaySubject } from './dead-letters-replays.js';
import { readPage } from './direct-read.js';
import { envelope } from './headers.js';
import { reasonOf } from './log.js';

const STREAM = 'DEAD_LETTERS';
const AUDIT_STREAM = 'AUDIT';
const LETTER_TYPE = 'astro.runtime.v1.DeadLetter';
const SETTLED_TYPE = 'astro.runtime.v1.DeadLetterSettled';
const PAGE_SIZE = 500;
const WRONG_LAST_SEQUENCE = 10071;
const WRONG_LAST_SEQUENCE_UNKNOWN = 10164;

export type Settlement = DeadLetterSettled & { readonly settledAt: Date };
export type DeskLetter = ListedDeadLetter & { readonly settlement?: Settlement };
/** Who decides about a letter, and why. */
export type Decision = { readonly actor: string; readonly why: string };

/** What cannot be done with a letter as things are: there is none, it is settled, or nobody would handle it. */
export class LetterRefused extends Error {
  override readonly name = 'LetterRefused';
}

/** Where people look through dead letters and settle them: each once, and each with a record of who did and why. */
export class DeadLetterDesk {
  readonly #bus: Bus;
  readonly #letters: DeadLetters;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#letters = new DeadLetters(bus);
  }

  /** Open letters, oldest first; with `all`, the settled ones as well. */
  async *list(options: { readonly all?: boolean } = {}): AsyncGenerator<DeskLetter> {
    const settlements = await this.#settlements();
    for (let afterPosition = 0; ;) {
      const page = await this.#letters.list({ afterPosition });
      for (const letter of page) {
        const settlement = settlements.get(auditSubject(letter));
        if (!settlement) yield letter;
        else if (options.all) yield { ...letter, settlement };
      }
      const last = page.at(-1);
      if (!last) return;
      afterPosition = last.position;
    }
  }

  /** @throws LetterRefused when there is none at `position` */
  async get(position: number): Promise<DeskLetter> {
    const [letter] = await this.#letters.list({ afterPosition: position - 1 });
    if (letter?.position !== position) throw new LetterRefused(`there is no dead letter ${position}`);
    const settlement = (await this.#settlements(auditSubject(letter))).get(auditSubject(letter));
    return settlement ? { ...letter, settlement } : letter;
  }

  /**
   * Sends the message on its way again: an event to the consumer that failed, anything else to all who read its
   * subject. It keeps its `ce-id`, by which handlers recognise what they have done. When it fails once more it
   * becomes a new letter. Should this process die before the decision is recorded, the letter is still open.
   * @throws LetterRefused
   */
  async replay(position: number, decision: Decision): Promise<void> {
    const listed = await this.get(position);
    const { letter } = listed;
    assertOpen(position, listed.settlement);
    const messageId = `replay-${position}`;
    if (letter.subject.startsWith('evt.')) await this.#replayEvent(letter, messageId);
    else await this.#publishAgain(letter, messageId);
    await this.#settle(listed, { position, fate: 'replayed', ...decision });
  }

  /** @throws LetterRefused */
  async discard(position: number, decision: Decision): Promise<void> {
    const listed = await this.get(position);
    assertOpen(position, listed.settlement);
    await this.#settle(listed, { position, fate: 'discarded', ...decision });
  }

  async #replayEvent(letter: DeadLetter, messageId: string): Promise<void> {
    const subject = replaySubject(letter.consumer);
    const consumers = await this.#bus.jsm.consumers.list(STREAM).next();
    const isTaken = consumers.some(({ config }) => config.filter_subjects?.includes(subject));
    const isTakenAlone = consumers.some(({ config }) => config.filter_subject === subject);
    if (!isTaken && !isTakenAlone) {
      throw new LetterRefused(`no service handles events again for ${letter.consumer}`);
    }
    const written = envelope({
      id: messageId,
      typeName: LETTER_TYPE,
      source: 'jetstream',
      subject: letter.subject,
    });
    await this.#bus.js.publish(subject, encode(LETTER_TYPE, letter), { headers: written });
  }

  async #publishAgain(letter: DeadLetter, messageId: string): Promise<void> {
    const written = headers();
    // What the server reads was about the first time: its id, its batch, what it expected.
    const kept = Object.entries(letter.headers).filter(([name]) => !name.toLowerCase().startsWith('nats-'));
    for (const [name, value] of kept) written.set(name, value);
    written.set('Nats-Msg-Id', messageId);
    await this.#bus.js.publish(letter.subject, letter.payload, { headers: written });
  }

  async #settle(listed: ListedDeadLetter, settled: DeadLetterSettled): Promise<void> {
    const { position } = settled;
    const written = envelope({
      id: `settled-${position}-${Date.now()}`,
      typeName: SETTLED_TYPE,
      source: 'jetstream',
      subject: String(position),
    });
    try {
      await this.#bus.js.publish(auditSubject(listed), encode(SETTLED_TYPE, settled), {
        headers: written,
        expect: { lastSubjectSequence: 0 },
      });
    } catch (error) {
      const code = error instanceof JetStreamApiError ? error.code : undefined;
      if (code !== WRONG_LAST_SEQUENCE && code !== WRONG_LAST_SEQUENCE_UNKNOWN) throw error;
      throw new LetterRefused(`somebody else has settled dead letter ${position}`, { cause: error });
    }
  }

  /** By the subject of the audit. */
  async #settlements(subject = 'audit.dead-letter.>'): Promise<ReadonlyMap<string, Settlement>> {
    const found = new Map<string, Settlement>();
    for (let seq = 1; ;) {
      const page = await readPage(this.#bus, AUDIT_STREAM, { seq, batch: PAGE_SIZE, next_by_subj: subject });
      for (const message of page) {
        const settled = decode(SETTLED_TYPE, message.data) as DeadLetterSettled;
        found.set(message.subject, { ...settled, settledAt: message.time });
      }
      const last = page.at(-1);
      if (!last) return found;
      seq = last.seq + 1;
    }
  }
}

/** Holds the time as well: positions begin anew when the stream of dead letters is lost, and audits are not. */
const auditSubject = ({ position, recordedAt }: ListedDeadLetter): string =>
  `audit.dead-letter.${position}.${recordedAt.getTime()}`;

function assertOpen(position: number, settlement: Settlement | undefined): void {
  if (!settlement) return;
  const { fate, actor, settledAt } = settlement;
  throw new LetterRefused(`dead letter ${position} was ${fate} by ${actor} at ${settledAt.toISOString()}`);
}

/** The payload of a letter's message, or why it cannot be read: often that is why it died. */
export function payloadOf({ subject, payload }: DeadLetter): {
  readonly type?: string;
  readonly data: unknown;
} {
  const [kind = '', context, aggregate] = subject.split('.');
  if (subject.startsWith('dlq.replay.')) return decoded(LETTER_TYPE, payload);
  const name = subject.split('.').at(-1);
  const entry = catalogue.find(
    candidate =>
      candidate.kind === kinds[kind] &&
      candidate.name === name &&
      ((kind !== 'evt' && kind !== 'cmd') ||
        (candidate.context === context && candidate.aggregate === aggregate)),
  );
  return entry ? decoded(entry.typeName, payload) : { data: `there is no message for ${subject}` };
}

const kinds: Partial<Record<string, string>> = {
  evt: 'event',
  cmd: 'command',
  agent: 'report',
  telemetry: 'telemetry',
};

function decoded(type: string, payload: Uint8Array): { readonly type: string; readonly data: unknown } {
  try {
    return { type, data: decode(type, payload) };
  } catch (error) {
    return { type, data: `cannot be read: ${reasonOf(error)}` };
  }
}
