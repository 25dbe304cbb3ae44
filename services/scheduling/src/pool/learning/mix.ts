import { DemandTable } from '@astro/matching/engine/demand';
import type { Requirements } from '@astro/matching/engine/request';
import { ArrivalMix, type ArrivalMixRecord } from '@astro/matching/policy/learning/arrival-mix';
import { priorMix } from '@astro/matching/policy/learning/prior-mix';
import { learningLimits } from './learning-limits.js';

const { halfLifeArrivals, demandsCounted: demandsMax } = learningLimits;
const options = { halfLifeArrivals, demandsMax };

/** What a pool believes of its arrivals before any has come, which fades as they do. */
export const believedMix = (): ArrivalMix => new ArrivalMix(options, priorMix(new DemandTable()));

export const mixFrom = (record: ArrivalMixRecord): ArrivalMix => ArrivalMix.from(record, options);

/** @param replicas that were asked for, each of which is an arrival */
export function countArrival(mix: ArrivalMix, needs: Requirements, replicas: number): void {
  // An engine numbers demands in the order in which it meets them, which is no part of what a pool knows.
  mix.arrived({ ...new DemandTable().intern(needs), id: 0 }, replicas);
}
