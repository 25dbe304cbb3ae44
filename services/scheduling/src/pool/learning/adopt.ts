import { isDeepStrictEqual } from 'node:util';
import { accept, reject, type Decision } from '@astro/event-sourcing/decider';
import type { TermWeights } from '@astro/matching/engine/weights';
import { astro } from '@astro/matching/policy/astro';
import type { AdoptPolicy, LearnedPolicy, PoolEvent } from '@astro/messages/scheduling';
import type { Pool } from '../pool-state.js';
import { poolWeights, tightFit } from '../policy.js';
import { valuesOf } from './learned-policy.js';
import { policyFlaw } from './policy-flaw.js';

export type AdoptionRejection = 'PolicyIsInvalid' | 'PolicyIsStale';

/** Whoever learned from a pool that has adopted another policy meanwhile learns again. */
export function adoptPolicy(data: AdoptPolicy, pool: Pool): Decision<PoolEvent, AdoptionRejection> {
  const flaw = policyFlaw(data.policy);
  if (flaw) return reject('PolicyIsInvalid', flaw);
  if (isDeepStrictEqual(data.policy, pool.adopted)) return accept();
  const next = nextPolicyVersion(pool);
  if (data.policy.version === next) return accept({ type: 'PolicyAdopted', data });
  return reject('PolicyIsStale', `version: ${data.policy.version} is not the next one, ${next}`);
}

export const nextPolicyVersion = ({ engine }: Pool): number => engine.termWeights.version + 1;

/** From now on the engine picks nodes by it. */
export function install(pool: Pool, policy: LearnedPolicy): void {
  pool.adopted = policy;
  reweigh(pool, { ...poolWeights, version: policy.version });
}

/** The same policy with other weights of its terms. */
export const reweigh = ({ adopted, engine }: Pool, weights: TermWeights): void =>
  engine.use(adopted ? astro(valuesOf(adopted)) : tightFit, weights);

/** Of the allocation policy that picks nodes now. */
export const policyNameOf = ({ adopted }: Pool): string => adopted?.name ?? tightFit.name;
