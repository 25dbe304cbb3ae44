import type { ServiceScale } from '@astro/matching/queue/replicas';

/** What the pool knows of a job that is a service, beside how many replicas its task wants. */
export type PoolService = {
  replicasMin: number;
  replicasMax: number;
  /** What would have been enough lately. */
  recent: ServiceScale['recent'];
  /** When another number of replicas was wanted last: what was seen before says nothing about it. */
  scaledAt: Date;
  /** Periods that were charged, and what they cost together. */
  charges: number;
  spentAtto: bigint;
  /** Replicas that failed one after the other, without one that ran for a period. */
  failures: number;
  /** Until then no replica is placed, because one has failed; undefined while none has to wait. */
  heldUntil: Date | undefined;
  /** Whether it was told that its budget will be used up. */
  isUnderNotice: boolean;
};
