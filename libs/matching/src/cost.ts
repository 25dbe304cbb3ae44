/** The part of a job's specification that bounds its cost. */
export type Priced = {
  readonly program: { readonly timeLimitMs: number };
  readonly requirements: { readonly maxPricePerSecondAtto: bigint };
  readonly tasks: readonly unknown[];
  readonly quorum: number;
  readonly service?: { readonly budgetAtto: bigint };
  readonly bookingId?: string;
};

/**
 * The most a job can cost, in base units: every replica of every task uses its whole time at the price cap.
 * Only agreeing results are charged, so a replica that was asked for after a disagreement adds nothing.
 * A service runs until it is ended, and so it is ended before its budget is spent. What runs on booked capacity is
 * paid with that.
 */
export function maxCostAtto({ program, requirements, tasks, quorum, service, bookingId }: Priced): bigint {
  if (bookingId !== undefined) return 0n;
  if (service) return service.budgetAtto;
  const replicaAtto = costAtto(program.timeLimitMs, requirements.maxPricePerSecondAtto);
  return BigInt(tasks.length) * BigInt(quorum) * replicaAtto;
}

/** What the time costs, rounded up to a base unit. */
export const costAtto = (ms: number, pricePerSecondAtto: bigint): bigint =>
  (BigInt(ms) * pricePerSecondAtto + 999n) / 1_000n;
