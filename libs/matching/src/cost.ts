/** The part of a job's specification that bounds its cost. */
export type Priced = {
  readonly program: { readonly timeLimitMs: number };
  readonly requirements: { readonly maxPricePerSecondAtto: bigint };
  readonly tasks: readonly unknown[];
  readonly quorum: number;
  readonly service?: { readonly budgetAtto: bigint };
};

/**
 * The most a job can cost, in base units: every replica of every task uses its whole time at the price cap.
 * Only agreeing results are charged, so a replica that was asked for after a disagreement adds nothing.
 * A service runs until it is ended, and so it is ended before its budget is spent.
 */
export const maxCostAtto = (job: Priced): bigint =>
  job.service ? job.service.budgetAtto : BigInt(job.tasks.length) * taskCostAtto(job);

/** The most that one task can cost, all its replicas together. */
export const taskCostAtto = ({ program, requirements, quorum }: Omit<Priced, 'tasks' | 'service'>): bigint =>
  BigInt(quorum) * costAtto(program.timeLimitMs, requirements.maxPricePerSecondAtto);

/**
 * The first reservation of a job that is funded stepwise: what is expected of the tasks that can run at once, within
 * what one task can cost and what all can. Without an expectation, the most that those can cost.
 */
export function firstReservationAtto(
  job: Priced & { readonly maxParallel: number },
  expectedAtto?: bigint,
): bigint {
  const atOnce = job.maxParallel === 0 ? job.tasks.length : Math.min(job.maxParallel, job.tasks.length);
  const wanted = expectedAtto ?? BigInt(atOnce) * taskCostAtto(job);
  const least = taskCostAtto(job);
  const most = maxCostAtto(job);
  return wanted < least ? least : wanted > most ? most : wanted;
}

/** What results cost that were agreed on. */
export const workCostAtto = (
  work: readonly { readonly meteredMs: number; readonly pricePerSecondAtto: bigint }[],
): bigint =>
  work.reduce((sum, { meteredMs, pricePerSecondAtto }) => sum + costAtto(meteredMs, pricePerSecondAtto), 0n);

/** What the time costs, rounded up to a base unit. */
export const costAtto = (ms: number, pricePerSecondAtto: bigint): bigint =>
  (BigInt(ms) * pricePerSecondAtto + 999n) / 1_000n;
