/** The part of a job's specification that bounds its cost. */
export type Priced = {
  readonly program: { readonly timeLimitMs: number; readonly outputLimitBytes?: number };
  readonly requirements: {
    readonly maxPricePerSecondAtto: bigint;
    readonly maxPricePerGibTransferredAtto?: bigint;
  };
  readonly tasks: readonly unknown[];
  readonly quorum: number;
  readonly inputSizes?: { readonly taskBytes: readonly number[] };
  readonly service?: { readonly budgetAtto: bigint };
  readonly bookingId?: string;
};

/** What one lease used, at its prices. */
export type Used = {
  readonly meteredMs: number;
  readonly pricePerSecondAtto: bigint;
  readonly transferred?: { readonly fetchedBytes: number; readonly uploadedBytes: number };
  readonly pricePerGibTransferredAtto?: bigint;
};

const MS_PER_SECOND = 1_000n;
const BYTES_PER_GIB = 2n ** 30n;

/**
 * The most a job can cost, in base units: every replica of every task uses its whole time at the price cap, and moves
 * all its inputs and as much output as it may at the other cap.
 * Only agreeing results are charged, so a replica that was asked for after a disagreement adds nothing.
 * A service runs until it is ended, and so it is ended before its budget is spent. What runs on booked capacity is
 * paid with that.
 */
export function maxCostAtto(job: Priced): bigint {
  if (job.bookingId !== undefined) return 0n;
  if (job.service) return job.service.budgetAtto;
  const transfersAtto = job.tasks.reduce<bigint>(
    (sum, _task, index) => sum + maxTransferAtto(job, index),
    0n,
  );
  return BigInt(job.quorum) * (BigInt(job.tasks.length) * replicaCostAtto(job) + transfersAtto);
}

/** The most that one task can cost, all its replicas together: that of the task that moves most. */
export function taskCostAtto(job: Omit<Priced, 'service'>): bigint {
  const replicaAtto = replicaCostAtto(job);
  if (job.requirements.maxPricePerGibTransferredAtto === undefined) return BigInt(job.quorum) * replicaAtto;
  const transfers = job.tasks.map((_task, index) => maxTransferAtto(job, index));
  const transferAtto = transfers.reduce((most, atto) => (atto > most ? atto : most), 0n);
  return BigInt(job.quorum) * (replicaAtto + transferAtto);
}

const replicaCostAtto = ({ program, requirements }: Pick<Priced, 'program' | 'requirements'>): bigint =>
  costAtto(program.timeLimitMs, requirements.maxPricePerSecondAtto);

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

/** The most that a task's node is paid for what it moves; nothing where transfer is not metered. */
export function maxTransferAtto(
  { program, requirements, inputSizes }: Omit<Priced, 'service'>,
  taskIndex: number,
): bigint {
  const inputBytes = inputSizes?.taskBytes[taskIndex];
  if (inputBytes === undefined) return 0n;
  const bytes = inputBytes + (program.outputLimitBytes ?? 0);
  return transferAtto(bytes, requirements.maxPricePerGibTransferredAtto ?? 0n);
}

/** What results cost that were agreed on. */
export const workCostAtto = (work: readonly Used[]): bigint =>
  work.reduce((sum, used) => sum + usedAtto(used), 0n);

/** What the time costs, rounded up to a base unit. */
export const costAtto = (ms: number, pricePerSecondAtto: bigint): bigint =>
  (BigInt(ms) * pricePerSecondAtto + MS_PER_SECOND - 1n) / MS_PER_SECOND;

/** What the bytes cost, rounded up to a base unit. */
export const transferAtto = (bytes: number, pricePerGibAtto: bigint): bigint =>
  (BigInt(bytes) * pricePerGibAtto + BYTES_PER_GIB - 1n) / BYTES_PER_GIB;

export const bytesMoved = ({ transferred }: Pick<Used, 'transferred'>): number =>
  transferred ? transferred.fetchedBytes + transferred.uploadedBytes : 0;

/** What a lease's use costs: time and transfer, each rounded up. */
export const usedAtto = (used: Used): bigint =>
  costAtto(used.meteredMs, used.pricePerSecondAtto) +
  transferAtto(bytesMoved(used), used.pricePerGibTransferredAtto ?? 0n);
