import { firstReservationAtto } from '@astro/matching/cost';
import type { SubmitJob } from '@astro/messages/scheduling';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../http/problem.js';
import { planAnswer } from './foresight.schema.js';
import type { PoolQuestions } from './pool-questions.js';

/** The submission goes by the first id of the request. */
const ORDINAL_OF_QUESTION = 1;

/**
 * Of a job that is funded stepwise, what is reserved at first: sized by the pool's plan, or by the most that its tasks
 * can cost that run at once when the pool does not answer in time.
 */
export async function withFirstReservation(
  command: SubmitJob,
  questions: PoolQuestions,
  request: FastifyRequest,
): Promise<SubmitJob> {
  const { spec } = command;
  if (spec.funding?.mode !== 'stepwise') return command;
  const expectedAtto = await expectedCost(command, questions, request);
  return { ...command, firstReservationAtto: firstReservationAtto(spec, expectedAtto) };
}

async function expectedCost(
  { poolId, tenantId, spec }: SubmitJob,
  questions: PoolQuestions,
  request: FastifyRequest,
): Promise<bigint | undefined> {
  const question = { type: 'PlanJob', data: { poolId, tenantId, spec, now: new Date() } } as const;
  try {
    const plan = await questions.ask(question, planAnswer, request, { ordinal: ORDINAL_OF_QUESTION });
    return BigInt(plan.expectedCostAtto);
  } catch (error) {
    if (error instanceof Problem && error.code === 'pool_unavailable') return undefined;
    throw error;
  }
}
