import { derivedId } from '@astro/event-sourcing/ids';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccusationCommand, TaskEvent } from '@astro/messages/verification';
import { FAULT_RULES, faults, type FaultRule } from '../evidence/faults.js';

/** Every fault that the published rules know is put on record, under an id that follows from it. */
export const recordFaults: Reactor<TaskEvent, AccusationCommand> = {
  name: 'verification.record-faults',
  reads: ['verification.task'],
  isUnordered: true,

  react({ event }) {
    return Object.entries<FaultRule>(faults).flatMap(([kind, { culprits }]) =>
      culprits(event).map(({ leaseId, nodeId, operatorId }) => {
        const { jobId, taskId } = event.data;
        const faultId = faultIdOf(kind, leaseId);
        const accused = { faultId, kind, rules: FAULT_RULES, jobId, taskId, leaseId, nodeId, operatorId };
        const to = { type: 'verification.accusation', id: faultId } as const;
        return { to, type: 'RecordFault' as const, data: { accused } };
      }),
    );
  },
};

/** A lease is at fault in one way once. */
export const faultIdOf = (kind: string, leaseId: string): string => derivedId('fault', kind, leaseId);
