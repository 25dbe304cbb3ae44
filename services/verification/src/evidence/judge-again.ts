import { isDeepStrictEqual } from 'node:util';
import type { JobSpec, Result, Spread } from '@astro/messages/scheduling';
import type { RecordResult, TaskEvent } from '@astro/messages/verification';
import { task, type Task } from '../task/task.js';

/** Only how long a task may stay open depends on the limit, and never which result is believed. */
const rules = task({ maxReplicas: Number.MAX_SAFE_INTEGER });

/**
 * Hands each result to the rules once more, in the order in which they came.
 * @param events all of one task, from the first
 * @returns what was recorded and does not follow, by event and field; nothing when everything does
 */
export function flawsOfJudgement(events: readonly TaskEvent[], job: JobSpec): readonly string[] {
  let state = rules.initialState;
  const flaws: string[] = [];
  for (const [index, event] of events.entries()) {
    flaws.push(...flawsOfEvent(event, state, job).map(flaw => `events[${index + 1}]: ${flaw}`));
    state = rules.evolve(state, event);
  }
  return flaws;
}

function flawsOfEvent(event: TaskEvent, state: Task, job: JobSpec): readonly string[] {
  const result = newestOf(event, state);
  if (!result) return ['judges no result that was not there before'];
  const decision = rules.decide({ type: 'RecordResult', data: commandFor(event, result, state, job) }, state);
  if (!decision.accepted)
    return [`the rules refuse its result: ${decision.rejection} ${decision.detail ?? ''}`.trim()];
  const [decided] = decision.events;
  if (decided?.type !== event.type)
    return [`is ${event.type}, the rules decide ${decided?.type ?? 'nothing'}`];
  return differingFields(event.data, decided.data).map(field => `${field}: is not what the rules decide`);
}

/** The result that led to the event. A verdict has all of them, in camps. */
function newestOf({ type, data }: TaskEvent, { results }: Task): Result | undefined {
  const isNew = ({ leaseId }: Result) => results.every(other => other.leaseId !== leaseId);
  switch (type) {
    case 'ResultReceived':
    case 'AuditDrawn':
    case 'ResultsDisagreed':
      return isNew(data.result) ? data.result : undefined;
    case 'ResultVerified':
      return [...data.agreed, ...data.refuted].find(isNew);
    case 'VerificationFailed':
      return data.results.find(isNew);
  }
}

function commandFor(event: TaskEvent, result: Result, state: Task, job: JobSpec): RecordResult {
  const { poolId, jobId, taskId } = event.data;
  const spread = spreadIn(event);
  const vote = { poolId, jobId, taskId, quorum: job.quorum, result, ...(spread && { spread }) };
  const { verification } = job;
  if (!verification || verification.policy === 'quorum') return vote;
  return { ...vote, verification, seed: state.audit?.seed ?? seedIn(event) };
}

/** What was drawn from is recorded with the draw. */
function seedIn({ type, data }: TaskEvent): string {
  switch (type) {
    case 'AuditDrawn':
      return data.seed;
    case 'ResultVerified':
    case 'VerificationFailed':
      return data.basis?.seed ?? '';
    case 'ResultReceived':
    case 'ResultsDisagreed':
      return '';
  }
}

/** Who was counted once is recorded with each result. */
function spreadIn({ type, data }: TaskEvent): Spread | undefined {
  switch (type) {
    case 'ResultReceived':
    case 'ResultsDisagreed':
    case 'AuditDrawn':
      return data.spread;
    case 'ResultVerified':
    case 'VerificationFailed':
      return data.basis?.spread;
  }
}

const differingFields = (one: object, other: object): readonly string[] => {
  const [recorded, decided] = [new Map(Object.entries(one)), new Map(Object.entries(other))];
  const fields = [...new Set([...recorded.keys(), ...decided.keys()])];
  return fields.filter(field => !isDeepStrictEqual(recorded.get(field), decided.get(field)));
};
