import type { Roots } from './roots.js';
import type { Rules } from './rules.js';
import type { Findings } from './verdict.js';

/** What evidence is held against. */
export type Question = {
  readonly rules: Rules;
  readonly roots: Roots;
  readonly now: Date;
  /** Of the challenge that was given to the node. */
  readonly nonce: Uint8Array;
  /** The node's public key as text, to which the evidence must be bound. */
  readonly nodeKey: string;
};

/** What was found of the machine, and until when what that rests on is valid. */
export type MachineVerdict = Omit<Findings, 'deviceCount'> & { readonly restsUntil: Date };
