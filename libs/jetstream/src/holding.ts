import type { Fence } from './fence.js';
import type { Membership } from './membership.js';

/** Something that runs while a process holds a unit. */
export type Part = {
  start(): Promise<void>;
  /** Ends what is being done, within limits, and begins nothing more. */
  stop(): Promise<void>;
  readonly healthy: boolean;
  /** Messages that it has handled. */
  readonly handled?: number;
};

/** What one process of a service does at a time, for example one lane. */
export type Unit = {
  /** A subject token, unique in its service: its kind, a dash, and what tells it apart. */
  readonly name: string;
  /** Called for each time that this process gets the unit. */
  open(fence: Fence): Part;
};

/** A unit in the hands of this process, from its claim to its end. */
export class Holding implements Fence {
  readonly epoch: number;
  readonly afterDeath: boolean;
  readonly #member: Membership;
  readonly #parts: readonly Part[];
  #closing: Promise<void> | undefined;
  #isLost = false;

  constructor(
    opens: readonly Unit['open'][],
    member: Membership,
    claim: { readonly epoch: number; readonly afterDeath: boolean },
  ) {
    this.epoch = claim.epoch;
    this.afterDeath = claim.afterDeath;
    this.#member = member;
    this.#parts = opens.map(open => open(this));
  }

  get isHeld(): boolean {
    return !this.#isLost && this.#member.isAlive;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  get healthy(): boolean {
    return this.isClosing || this.#parts.every(part => part.healthy);
  }

  get handled(): number {
    return this.#parts.reduce((sum, { handled = 0 }) => sum + handled, 0);
  }

  async start(): Promise<void> {
    await Promise.all(this.#parts.map(part => part.start()));
  }

  /** Somebody else has it: what was begun may end, and nothing more begins. */
  lose(): Promise<void> {
    this.#isLost = true;
    return this.close();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#parts.map(part => part.stop())).then(() => undefined);
    return this.#closing;
  }
}
