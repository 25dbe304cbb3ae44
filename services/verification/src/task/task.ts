import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import type { Result, Spread } from '@astro/messages/scheduling';
import type { Basis, RecordResult, TaskCommand, TaskEvent } from '@astro/messages/verification';
import { drawOf } from '../policies/draw.js';
import { titleOf, unknownNode, type Report, type VerificationPolicy } from '../policies/policy.js';
import { policyFor } from './policy-of-job.js';
import { agree, contentOf } from './result-content.js';

export type TaskRejection =
  | 'QuorumIsInvalid'
  | 'QuorumDiffers'
  | 'VerificationIsInvalid'
  | 'ResultIsCommitted'
  | 'OperatorHasVoted'
  | 'TaskIsDecided';

export type Task = {
  readonly quorum?: number;
  readonly results: readonly Result[];
  /** Each asked for one more result. */
  readonly disagreements: number;
  /** Of a task whose first result was drawn for an audit. */
  readonly audit?: { readonly seed: string };
  readonly isDecided: boolean;
};

export type TaskLimits = {
  /** The most results that are ever asked for, before verification of the task fails. */
  readonly maxReplicas: number;
};

/** The results of one task, each of another operator, until its policy believes one of them. */
export const task = (limits: TaskLimits): Decider<Task, TaskCommand, TaskEvent, TaskRejection> => ({
  initialState: { results: [], disagreements: 0, isDecided: false },

  decide({ data }, task) {
    const { result, quorum } = data;
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
    const policy = policyFor(data);
    if (typeof policy === 'string') return reject('VerificationIsInvalid', policy);
    return judge(data, task, policy, limits);
  },

  evolve(task, { type, data }) {
    switch (type) {
      case 'ResultReceived':
        return { ...task, quorum: data.quorum, results: [...task.results, data.result] };
      case 'AuditDrawn': {
        const results = [...task.results, data.result];
        return { ...task, quorum: data.quorum, results, audit: { seed: data.seed } };
      }
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

function judge(
  data: RecordResult,
  task: Task,
  policy: VerificationPolicy,
  { maxReplicas }: TaskLimits,
): Decision<TaskEvent, TaskRejection> {
  const { result, quorum, verification, seed: drawnNow = '', spread, ...ids } = data;
  const results = [...task.results, result];
  const draws = policy.needs.includes('draw');
  const seed = draws ? (task.audit?.seed ?? drawnNow) : '';
  const isFirst = task.results.length === 0;
  const received = { ...ids, quorum, result, ...(spread && { spread }) };
  if (draws && isFirst && verification && policy.replicasAtFirst(unknownNode, drawOf(seed, ids.taskId)) > 1)
    return accept({ type: 'AuditDrawn', data: { ...received, verification, seed } });
  // An audit asks for one more, and each disagreement for another.
  const askedAtFirst = draws ? (task.audit ? 2 : 1) : quorum;
  const verdict = policy.judge(results.map(reportOf(spread)), {
    asked: askedAtFirst + task.disagreements,
    maxReplicas,
  });
  const founded = { policy: titleOf(policy), basis: basisOf(policy, results, { seed, spread }) };
  switch (verdict.status) {
    case 'waiting':
      return accept({ type: 'ResultReceived', data: received });
    case 'wanting':
      return accept({ type: 'ResultsDisagreed', data: received });
    case 'inconclusive':
      return accept({ type: 'VerificationFailed', data: { ...ids, results, ...founded } });
    case 'accepted': {
      const agreed = verdict.agreed.map(index => results[index]!);
      const refuted = verdict.culprits.map(({ index }) => results[index]!);
      const { digest, fault, outputs } = agreed[0]!;
      const outcome = { digest, fault, outputs, agreed, refuted };
      return accept({ type: 'ResultVerified', data: { ...ids, ...outcome, ...founded } });
    }
  }
}

/** All that somebody else needs to judge the same results again. */
function basisOf(
  { thresholds }: VerificationPolicy,
  results: readonly Result[],
  { seed, spread }: { readonly seed: string; readonly spread: Spread | undefined },
): Basis {
  return {
    thresholds: Object.entries(thresholds).map(([name, value]) => ({ name, value })),
    hardwareClasses: [...new Set(results.flatMap(({ hardwareClass }) => hardwareClass ?? []))].sort(),
    seed,
    ...(spread && { spread }),
  };
}

/** Operators of a group count once, also where one of them had voted before the group was found. */
const reportOf =
  (spread: Spread | undefined) =>
  (result: Result): Report => ({
    nodeId: result.nodeId,
    voice: voiceOf(result, spread?.voices ?? []),
    claim: contentOf(result),
    standing: unknownNode,
  });

const voiceOf = ({ operatorId }: Result, voices: Spread['voices']): string =>
  voices.find(voice => voice.operatorId === operatorId)?.groupId ?? operatorId;
