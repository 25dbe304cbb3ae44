/** The published rules by which faults are punished. The version grows with every change of a kind or a fraction. */
export const FAULT_RULES = 'faults/1';

export type FaultTerms = {
  /** In which role the accused has staked. */
  readonly role: 'operator' | 'validator';
  /** Of all that is staked on the accused, unless the protocol bounds it below that. */
  readonly fractionBps: number;
};

/** All kinds of fault that somebody can be accused of: one entry each. */
export const faultTerms = {
  /** Another result was believed than the one that the node gave. */
  refuted_result: { role: 'operator', fractionBps: 500 },
} as const satisfies Readonly<Record<string, FaultTerms>>;

export type FaultKind = keyof typeof faultTerms;
