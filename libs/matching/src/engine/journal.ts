import type { Fleet } from './fleet.js';
import type { Hold } from './hold.js';

type Move = { readonly slot: number; readonly hold: Hold; readonly isTake: boolean };

/** Moves of an attempt that may be undone, at most; a plan that needs more is no plan. */
const movesMax = 1_000_000;

/** Remembers what an attempt takes and gives back, so that it can be undone exactly. Attempts may nest. */
export class Journal {
  private readonly moves: Move[] = [];
  private depth = 0;

  constructor(private readonly fleet: Fleet) {}

  take(slot: number, hold: Hold): void {
    this.fleet.take(slot, hold);
    this.record({ slot, hold, isTake: true });
  }

  giveBack(slot: number, hold: Hold): void {
    this.fleet.giveBack(slot, hold);
    this.record({ slot, hold, isTake: false });
  }

  /** An act that throws is undone as well. */
  attempt<Result>(act: () => Result, isKept: (result: Result) => boolean): Result {
    const mark = this.moves.length;
    let isDone = false;
    this.depth += 1;
    try {
      const result = act();
      isDone = isKept(result);
      return result;
    } finally {
      if (!isDone) this.undoTo(mark);
      this.depth -= 1;
      if (this.depth === 0) this.moves.length = 0;
    }
  }

  /** Nodes that come and go cannot be undone, so they may not while an attempt is open. */
  assertClosed(): void {
    if (this.depth > 0) throw new Error('nodes may not change while an attempt may yet be undone');
  }

  private record(move: Move): void {
    if (this.depth === 0) return;
    if (this.moves.length >= movesMax) throw new RangeError(`an attempt makes over ${movesMax} moves`);
    this.moves.push(move);
  }

  private undoTo(mark: number): void {
    while (this.moves.length > mark) {
      const { slot, hold, isTake } = this.moves.pop()!;
      if (isTake) this.fleet.giveBack(slot, hold);
      else this.fleet.take(slot, hold);
    }
  }
}
