import type { LogLine, LogsWritten } from '@astro/messages/agent';
import type { LogSource } from '../runtime/task-runtime.js';
import { progressIn, type Progress } from './task-progress.js';

const SEND_EVERY_MS = 250;
export const logLimits = {
  /** What is longer is cut, which the line says at its end. */
  lineCharacters: 2_048,
  /** Of what is sent at a time, and so of each quarter of a second: half of what a message may have. */
  bytesAtOnce: 32_768,
  bytesOfTask: 1_048_576,
  /** What a line takes on the way beside its text. */
  bytesOfLine: 8,
} as const;

type Lines = Pick<LogsWritten, 'lines' | 'linesLeftOut'>;

/**
 * Sends what a program writes, line by line, as long as that is not too much. What is left out is counted. A line that
 * tells how far the program is goes to `progressed` instead, however much was written before.
 */
export class LogSender {
  readonly #send: (lines: Lines) => void;
  readonly #progressed: (progress: Progress) => void;
  readonly #parts = { stdout: new LineParts(), stderr: new LineParts() };
  #lines: LogLine[] = [];
  #bytes = 0;
  #bytesOfTask = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (lines: Lines) => void, progressed: (progress: Progress) => void) {
    this.#send = send;
    this.#progressed = progressed;
  }

  write(source: LogSource, bytes: Uint8Array): void {
    for (const text of this.#parts[source].add(bytes)) this.#add(source, text);
  }

  /** When the program has ended: a last line may have no end. */
  close(): void {
    for (const source of ['stdout', 'stderr'] as const) {
      const rest = this.#parts[source].rest();
      if (rest !== '') this.#add(source, rest);
    }
    this.#flush();
  }

  #add(source: LogSource, text: string): void {
    const progress = progressIn(text);
    if (progress) return this.#progressed(progress);
    const { bytesAtOnce, bytesOfTask, bytesOfLine } = logLimits;
    const bytes = Buffer.byteLength(text) + bytesOfLine;
    if (this.#bytes + bytes > bytesAtOnce || this.#bytesOfTask + bytes > bytesOfTask) this.#leftOut += 1;
    else {
      this.#lines.push({ source, text });
      this.#bytes += bytes;
      this.#bytesOfTask += bytes;
    }
    this.#timer ??= setTimeout(() => this.#flush(), SEND_EVERY_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0 && this.#leftOut === 0) return;
    this.#send({ lines: this.#lines, linesLeftOut: this.#leftOut });
    [this.#lines, this.#bytes, this.#leftOut] = [[], 0, 0];
  }
}

/** Lines out of pieces; of a line that does not end there is never more than its beginning. */
class LineParts {
  readonly #decoder = new TextDecoder();
  #text = '';
  #cut = 0;

  add(bytes: Uint8Array): readonly string[] {
    const [first = '', ...others] = this.#decoder.decode(bytes, { stream: true }).split('\n');
    this.#append(first);
    return others.map(next => {
      const line = this.rest();
      this.#append(next);
      return line;
    });
  }

  rest(): string {
    const line = this.#cut === 0 ? this.#text : `${this.#text}… and ${this.#cut} characters more`;
    [this.#text, this.#cut] = ['', 0];
    return line;
  }

  #append(text: string): void {
    const room = logLimits.lineCharacters - this.#text.length;
    this.#text += text.slice(0, room);
    this.#cut += Math.max(0, text.length - room);
  }
}
