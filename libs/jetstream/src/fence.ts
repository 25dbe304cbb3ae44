/** The right of one process to a unit of work, for as long as it lasts. */
export type Fence = {
  /** Grows whenever the unit changes hands. What the server lets in under an older one it does not let in any more. */
  readonly epoch: number;
  /** The former holder fell silent with the unit in its hands; it may have died of a message. */
  readonly afterDeath: boolean;
  /** By this process's own clock, which ends the right before the server does. */
  readonly isHeld: boolean;
};
