/** A bounded number of things that may go on at once. */
export class Slots {
  private taken = 0;

  constructor(private readonly max: number) {}

  /** The way to give the slot back (once, however often it is called), or undefined when all are taken. */
  take(): (() => void) | undefined {
    if (this.taken >= this.max) return undefined;
    this.taken++;
    let isHeld = true;
    return () => {
      if (isHeld) this.taken--;
      isHeld = false;
    };
  }
}
