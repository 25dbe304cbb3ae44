import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Input, JobEvent, JobSpec, Output, Program, Result } from '@astro/messages/scheduling';
import type { Basis, TaskEvent } from '@astro/messages/verification';
import { FAULT_RULES, faults, type Accused, type FaultKind, type FaultRule } from './faults.js';
import { flawsOfJudgement } from './judge-again.js';

/** What a result says, and who says it. */
export type Claim = Accused &
  Pick<Result, 'fault' | 'digest' | 'isEncrypted'> & { readonly outputs: readonly Output[] };

/** Which fault of whom. */
export type Fault = { readonly kind: FaultKind; readonly leaseId: string };

/** All that evidence of a fault claims. It follows from the cited events and the published rules alone. */
export type Statement = {
  readonly kind: FaultKind;
  readonly rules: string;
  readonly role: FaultRule['role'];
  /** Of the stake of whoever is accused. */
  readonly fractionBps: number;
  readonly accused: Accused;
  readonly jobId: string;
  readonly taskId: string;
  readonly program: Program;
  readonly inputs: readonly Input[];
  readonly args: readonly string[];
  readonly policy: string;
  readonly basis: Basis;
  readonly agreed: readonly Claim[];
  readonly refuted: readonly Claim[];
};

/** Either what the events say, or why they are no evidence, by the place where that shows. */
export type Stated =
  | { readonly statement: Statement; readonly flaws: readonly string[] }
  | { readonly statement?: undefined; readonly flaws: readonly string[] };

/**
 * @param events first the one by which the job was submitted, then all of the task's verification
 */
export function stateFault({ kind, leaseId }: Fault, events: readonly Recorded[]): Stated {
  const history = historyIn(events);
  if (typeof history === 'string') return { flaws: [history] };
  const { jobId, spec, verdict } = history;
  const rule: FaultRule = faults[kind];
  const culprit = rule.culprits(verdict).find(result => result.leaseId === leaseId);
  if (!culprit || verdict.type !== 'ResultVerified')
    return { flaws: [`leaseId: ${leaseId} has no ${kind} by the last event`] };
  const { taskId, policy, basis, agreed, refuted } = verdict.data;
  const task = spec.tasks.find(other => other.taskId === taskId);
  if (!task) return { flaws: [`events[0]: ${jobId} has no task ${taskId}`] };
  if (!basis) return { flaws: ['basis: the verdict is from before they told what they were founded on'] };
  const { role, fractionBps } = rule;
  const work = { jobId, taskId, program: spec.program, inputs: task.inputs, args: task.args };
  const judged = { policy, basis, agreed: agreed.map(claimOf), refuted: refuted.map(claimOf) };
  const accused = accusedIn(culprit);
  return {
    statement: { kind, rules: FAULT_RULES, role, fractionBps, accused, ...work, ...judged },
    flaws: flawsOfJudgement(history.votes, spec),
  };
}

type History = {
  readonly jobId: string;
  readonly spec: JobSpec;
  readonly votes: readonly TaskEvent[];
  readonly verdict: TaskEvent;
};

function historyIn([first, ...others]: readonly Recorded[]): History | string {
  const submitted = first?.event as JobEvent | undefined;
  if (first?.aggregate.type !== 'scheduling.job' || submitted?.type !== 'JobSubmitted')
    return 'events[0]: must be the JobSubmitted of the job';
  const { jobId, spec } = submitted.data;
  if (first.aggregate.id !== jobId) return `events[0]: is an event of ${first.aggregate.id}, not of ${jobId}`;
  const taskId = others[0]?.aggregate.id;
  for (const [index, { aggregate, position }] of others.entries()) {
    if (aggregate.type !== 'verification.task' || aggregate.id !== taskId)
      return `events[${index + 1}]: must be an event of the verification of one task`;
    if (index > 0 && position <= others[index - 1]!.position)
      return `events[${index + 1}].position: must be after the event before`;
  }
  const votes = others.map(({ event }) => event as TaskEvent);
  const strange = votes.findIndex(({ data }) => data.jobId !== jobId || data.taskId !== taskId);
  if (strange >= 0) return `events[${strange + 1}]: is of another job or task`;
  const verdict = votes.at(-1);
  return verdict ? { jobId, spec, votes, verdict } : 'events: have no verdict';
}

const accusedIn = ({ leaseId, nodeId, operatorId }: Result): Accused => ({ leaseId, nodeId, operatorId });

const claimOf = (result: Result): Claim => ({
  ...accusedIn(result),
  ...{ fault: result.fault, digest: result.digest, outputs: result.outputs },
  ...(result.isEncrypted && { isEncrypted: true }),
});
