import type { TaskProgressed } from '@astro/messages/agent';

export type Progress = Pick<TaskProgressed, 'donePpm' | 'message'>;

export const progressLimits = {
  /** Between two that are told of a task. */
  everyMs: 2_000,
  messageCharacters: 200,
} as const;

const LINE = /^::progress (0(?:\.\d{1,9})?|1(?:\.0{1,9})?)(?: (.*))?\r?$/;
const WHOLE_PPM = 1_000_000;

/** What a line `::progress 0.42 in any words` says; any other line is one of the log. */
export function progressIn(line: string): Progress | undefined {
  const [, fraction, words = ''] = LINE.exec(line) ?? [];
  if (fraction === undefined) return undefined;
  const message = words.trim().slice(0, progressLimits.messageCharacters);
  return { donePpm: Math.floor(Number(fraction) * WHOLE_PPM), message };
}

/** Tells how far a task is: at once, then the latest at an interval, and the last at its end. */
export class ProgressTeller {
  readonly #tell: (progress: Progress) => void;
  #told: Progress | undefined;
  #latest: Progress | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (progress: Progress) => void) {
    this.#tell = tell;
  }

  set(progress: Progress): void {
    this.#latest = progress;
    if (this.#timer === undefined) this.#next();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tellLatest();
  }

  #next(): void {
    this.#timer = this.#tellLatest() ? setTimeout(() => this.#next(), progressLimits.everyMs) : undefined;
  }

  #tellLatest(): boolean {
    const [latest, told] = [this.#latest, this.#told];
    if (!latest || (latest.donePpm === told?.donePpm && latest.message === told.message)) return false;
    this.#told = latest;
    this.#tell(latest);
    return true;
  }
}
