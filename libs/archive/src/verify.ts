import type { Bus } from '@astro/jetstream/bus';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { boundsOf } from '@astro/jetstream/stream-restore';
import type { Archive, ArchivedEvent, Head } from './archive.js';
import { fingerprintOf, genesisOf, linkOf } from './chain.js';
import { differencesOf, finding, type Finding } from './findings.js';

export type VerifyOptions = {
  /** Events that the stream recorded longer ago than this must be in the archive. */
  readonly allowedLagMs?: number;
};

export type Verdict = {
  readonly stream: string;
  /** Where the archive's head stands. */
  readonly archivedTo: number;
  /** Where the stream ends; 0 when it is absent or empty. */
  readonly streamedTo: number;
  readonly findings: readonly Finding[];
  /** There may be more than these: reading ended at the most that are listed. */
  readonly isCutShort: boolean;
};

const DEFAULT_ALLOWED_LAG_MS = 60_000;
const MAX_FINDINGS = 1_000;

/** Recomputes the chain of a stream's archive and compares it with the stream, event by event. */
export async function verify(
  bus: Bus,
  archive: Archive,
  stream: string,
  { allowedLagMs = DEFAULT_ALLOWED_LAG_MS }: VerifyOptions = {},
): Promise<Verdict> {
  // The head first: what is appended meanwhile is beyond it on both sides, and not looked at.
  const head = await archive.head(stream);
  const bounds = await boundsOf(bus, stream);
  const streamedTo = bounds?.lastSequence ?? 0;
  const dueBefore = BigInt(Date.now() - allowedLagMs) * 1_000_000n;
  const comparison = new Comparison(stream, head, streamedTo, dueBefore);
  const rows = new Cursor(after => archive.read(stream, after));
  const messages = new Cursor(async after => (after < streamedTo ? readStored(bus, stream, after) : []));
  for (;;) {
    const [row, message] = [await rows.peek(), await messages.peek()];
    const sequence = Math.min(row?.sequence ?? Infinity, message?.sequence ?? Infinity);
    if (sequence === Infinity || sequence > Math.max(head.sequence, streamedTo) || comparison.isFull) break;
    comparison.add(
      sequence,
      row?.sequence === sequence ? rows.take() : undefined,
      message?.sequence === sequence ? messages.take() : undefined,
    );
  }
  return {
    stream,
    archivedTo: head.sequence,
    streamedTo,
    findings: comparison.end(),
    isCutShort: comparison.isFull,
  };
}

/** Reads page by page and gives one by one. */
class Cursor<Item extends StoredMessage> {
  #page: readonly Item[] = [];
  #index = 0;
  #after = 0;
  #ended = false;

  constructor(private readonly read: (after: number) => Promise<readonly Item[]>) {}

  async peek(): Promise<Item | undefined> {
    if (this.#index === this.#page.length && !this.#ended) {
      this.#page = await this.read(this.#after);
      this.#index = 0;
      this.#after = this.#page.at(-1)?.sequence ?? this.#after;
      this.#ended = this.#page.length === 0;
    }
    return this.#page[this.#index];
  }

  take(): Item | undefined {
    return this.#page[this.#index++];
  }
}

type Mismatch = { readonly row: ArchivedEvent; readonly message: StoredMessage; readonly isChained: boolean };

/** Goes through archive and stream side by side, in order, and keeps what does not agree. */
class Comparison {
  readonly #findings: Finding[] = [];
  /** Rows whose message says something else; only at the end is it known whether they changed places. */
  readonly #mismatches: Mismatch[] = [];
  /**
   * What the next row may build on: the hash of the row before it, or, where that row is wrong or gone, the hash that
   * follows from the stream. None where both lack the event: then nothing can be said.
   */
  #previous: readonly Buffer[];
  #lastRow = 0;
  #lastSeen = 0;
  #streamHasEnded = false;

  constructor(
    stream: string,
    private readonly head: Head,
    private readonly streamedTo: number,
    private readonly dueBefore: bigint,
  ) {
    this.#previous = [genesisOf(stream)];
  }

  get isFull(): boolean {
    return this.#findings.length + this.#mismatches.length >= MAX_FINDINGS;
  }

  add(sequence: number, row: ArchivedEvent | undefined, message: StoredMessage | undefined): void {
    if (sequence > this.#lastSeen + 1) this.#previous = [];
    this.#lastSeen = sequence;
    if (row) this.#addRow(row, message);
    else if (message) this.#addUnarchived(sequence, message);
  }

  end(): readonly Finding[] {
    this.#addMismatches();
    if (this.#lastRow < this.head.sequence && !this.isFull) {
      const detail = `the archive ends after ${this.#lastRow}, its head is at ${this.head.sequence}`;
      this.#note('truncated', this.#lastRow + 1, detail);
    }
    return this.#findings.toSorted((left, right) => left.sequence - right.sequence);
  }

  #note(...[kind, sequence, detail]: Parameters<typeof finding>): void {
    this.#findings.push(finding(kind, sequence, detail));
  }

  #addRow(row: ArchivedEvent, message: StoredMessage | undefined): void {
    const { sequence } = row;
    if (sequence > this.head.sequence) {
      this.#note('extra', sequence, `a row beyond the head, which is at ${this.head.sequence}`);
      return;
    }
    this.#noteGapBefore(sequence);
    const isChained = this.#chains(row, message);
    this.#lastRow = sequence;
    if (!message) this.#addUnstreamed(row, isChained);
    else if (fingerprintOf(row) !== fingerprintOf(message))
      this.#mismatches.push({ row, message, isChained });
    else if (!isChained) this.#note('altered', sequence, 'its hash does not follow from the one before it');
    if (sequence === this.head.sequence && !row.hash.equals(this.head.hash)) {
      this.#note('head altered', sequence, 'the head is not the hash of the last event');
    }
  }

  #chains(row: ArchivedEvent, message: StoredMessage | undefined): boolean {
    const previous = this.#previous;
    const isChained = previous.length === 0 || previous.some(hash => linkOf(hash, row).equals(row.hash));
    const derived = isChained ? [] : previous.slice(-1).map(hash => linkOf(hash, message ?? row));
    this.#previous = [row.hash, ...derived];
    return isChained;
  }

  #noteGapBefore(sequence: number): void {
    const from = this.#lastRow + 1;
    if (from === sequence) return;
    const range = from === sequence - 1 ? `row ${from} is` : `rows ${from} to ${sequence - 1} are`;
    this.#note('deleted', from, `${range} gone from the archive`);
  }

  #addUnstreamed({ sequence }: ArchivedEvent, isChained: boolean): void {
    if (!isChained) this.#note('altered', sequence, 'neither chained to the row before it nor in the stream');
    else if (sequence > this.streamedTo) {
      // Once: everything after it is missing as well.
      if (this.#streamHasEnded) return;
      this.#streamHasEnded = true;
      const detail = `the stream ends at ${this.streamedTo}, the archive at ${this.head.sequence}`;
      this.#note('stream truncated', sequence, detail);
    } else this.#note('missing from stream', sequence, 'archived, and not in the stream');
  }

  /** Up to the head, a missing row is told when the next one comes, or at the end. */
  #addUnarchived(sequence: number, message: StoredMessage): void {
    this.#previous = this.#previous.slice(-1).map(hash => linkOf(hash, message));
    if (sequence <= this.head.sequence || message.recordedAtNanos > this.dueBefore) return;
    if (this.#findings.some(({ kind }) => kind === 'truncated')) return;
    const detail = `the archive's head is at ${this.head.sequence}, the stream ends at ${this.streamedTo}`;
    this.#note('truncated', sequence, detail);
  }

  #addMismatches(): void {
    const homes = new Map(
      this.#mismatches.map(({ message }) => [fingerprintOf(message), message.sequence] as const),
    );
    for (const { row, message, isChained } of this.#mismatches) {
      const { sequence } = row;
      const home = homes.get(fingerprintOf(row));
      const differences = differencesOf(row, message);
      if (home !== undefined) this.#note('reordered', sequence, `the row holds the event of ${home}`);
      else if (isChained)
        this.#note('stream altered', sequence, `archive and stream differ in ${differences}`);
      else this.#note('altered', sequence, `archive and stream differ in ${differences}`);
    }
  }
}
