import { faultTerms, type FaultKind, type FaultTerms } from '@astro/messages/fault-terms';
import type { Result } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';

export { FAULT_RULES, type FaultKind } from '@astro/messages/fault-terms';

export type Accused = Pick<Result, 'leaseId' | 'nodeId' | 'operatorId'>;

export type FaultRule = FaultTerms & {
  /** Everybody whom the task's last event finds at fault in this way. */
  readonly culprits: (event: TaskEvent) => readonly Result[];
};

/** How each kind of fault is found. */
export const faults: Readonly<Record<FaultKind, FaultRule>> = {
  refuted_result: {
    ...faultTerms.refuted_result,
    culprits: ({ type, data }) => (type === 'ResultVerified' ? data.refuted : []),
  },
};

export const isFaultKind = (text: string): text is FaultKind => Object.hasOwn(faults, text);
