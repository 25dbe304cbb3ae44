/** Timers hold no more than 31 bits; a later deadline is looked at again by then. */
const TIMER_MAX_MS = 2_147_483_647;

/** Calls once when a deadline passes, which may be moved until then: a lease under notice ends earlier. */
export class DeadlineTimer {
  #deadlineMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    deadline: Date,
    private readonly pass: () => void,
  ) {
    this.#deadlineMs = deadline.getTime();
    this.#arm();
  }

  /** Whether it was another one before. */
  moveTo(deadline: Date): boolean {
    if (deadline.getTime() === this.#deadlineMs) return false;
    this.#deadlineMs = deadline.getTime();
    this.clear();
    this.#arm();
    return true;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const leftMs = this.#deadlineMs - Date.now();
    const look = () => (leftMs > TIMER_MAX_MS ? this.#arm() : this.pass());
    this.#timer = setTimeout(look, Math.min(leftMs, TIMER_MAX_MS));
  }
}
