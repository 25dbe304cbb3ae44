import type { Result } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';

/** The published rules by which faults are punished. The version grows with every change of a kind or a fraction. */
export const FAULT_RULES = 'faults/1';

export type Accused = Pick<Result, 'leaseId' | 'nodeId' | 'operatorId'>;

export type FaultRule = {
  /** In which role the accused has staked. */
  readonly role: 'operator' | 'validator';
  /** Of all that is staked on the accused. */
  readonly fractionBps: number;
  /** Everybody whom the task's last event finds at fault in this way. */
  readonly culprits: (event: TaskEvent) => readonly Result[];
};

/** All kinds of fault that somebody can be accused of: one entry each. */
export const faults = {
  /** Another result was believed than the one that the node gave. */
  refuted_result: {
    role: 'operator',
    fractionBps: 500,
    culprits: ({ type, data }) => (type === 'ResultVerified' ? data.refuted : []),
  },
} as const satisfies Readonly<Record<string, FaultRule>>;

export type FaultKind = keyof typeof faults;

export const isFaultKind = (text: string): text is FaultKind => Object.hasOwn(faults, text);
