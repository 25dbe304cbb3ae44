import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import type { Result } from '@astro/messages/scheduling';
import type { TaskCommand, TaskEvent } from '@astro/messages/verification';
import { titleOf, unknownNode, type Report } from '../policies/policy.js';
import { quorum as quorumPolicy } from '../policies/quorum.js';
import { agree, contentOf } from './result-content.js';

export type TaskRejection =
  'QuorumIsInvalid' | 'QuorumDiffers' | 'ResultIsCommitted' | 'OperatorHasVoted' | 'TaskIsDecided';

export type Task = {
  readonly quorum?: number;
  readonly results: readonly Result[];
  /** Each asked for one more result than the quorum. */
  readonly disagreements: number;
  readonly isDecided: boolean;
};

export type TaskLimits = {
  /** The most results that are ever asked for, before verification of the task fails. */
  readonly maxReplicas: number;
};

/** The results of one task, each of another operator, until enough of them agree. */
export const task = ({ maxReplicas }: TaskLimits): Decider<Task, TaskCommand, TaskEvent, TaskRejection> => ({
  initialState: { results: [], disagreements: 0, isDecided: false },

  decide({ data }, task) {
    const { result, quorum, ...ids } = data;
    const committed = task.results.find(other => other.leaseId === result.leaseId);
    if (committed) return agree(committed, result) ? accept() : reject('ResultIsCommitted', result.leaseId);
    if (task.isDecided) return reject('TaskIsDecided', data.taskId);
    if (quorum < 1) return reject('QuorumIsInvalid', `quorum: ${quorum} is less than 1`);
    if (task.quorum !== undefined && task.quorum !== quorum) {
      return reject('QuorumDiffers', `quorum: was ${task.quorum}`);
    }
    if (task.results.some(other => other.operatorId === result.operatorId)) {
      return reject('OperatorHasVoted', result.operatorId);
    }
    const results = [...task.results, result];
    const policy = quorumPolicy({ quorum });
    const verdict = policy.judge(results.map(reportOf), { asked: quorum + task.disagreements, maxReplicas });
    switch (verdict.status) {
      case 'waiting':
        return accept({ type: 'ResultReceived', data });
      case 'wanting':
        return accept({ type: 'ResultsDisagreed', data });
      case 'inconclusive':
        return accept({ type: 'VerificationFailed', data: { ...ids, policy: titleOf(policy), results } });
      case 'accepted': {
        const agreed = verdict.agreed.map(index => results[index]!);
        const refuted = verdict.culprits.map(({ index }) => results[index]!);
        const { digest, fault, outputs } = agreed[0]!;
        const outcome = { digest, fault, outputs, agreed, refuted };
        return accept({ type: 'ResultVerified', data: { ...ids, policy: titleOf(policy), ...outcome } });
      }
    }
  },

  evolve(task, { type, data }) {
    switch (type) {
      case 'ResultReceived':
        return { ...task, quorum: data.quorum, results: [...task.results, data.result] };
      case 'ResultsDisagreed': {
        const disagreements = task.disagreements + 1;
        return { ...task, quorum: data.quorum, results: [...task.results, data.result], disagreements };
      }
      case 'ResultVerified':
        return { ...task, results: [...data.agreed, ...data.refuted], isDecided: true };
      case 'VerificationFailed':
        return { ...task, results: data.results, isDecided: true };
    }
  },
});

const reportOf = (result: Result): Report => ({
  nodeId: result.nodeId,
  voice: result.operatorId,
  claim: contentOf(result),
  standing: unknownNode,
});
