/** The part of a job's specification that bounds its cost. */
export type Priced = {
  readonly program: { readonly timeLimitMs: number };
  readonly requirements: { readonly maxPricePerSecondAtto: bigint };
  readonly tasks: readonly unknown[];
  readonly quorum: number;
};

/**
 * The most a job can cost, in base units: every replica of every task uses its whole time at the price cap.
 * Only agreeing results are charged, so a replica that was asked for after a disagreement adds nothing.
 */
export function maxCostAtto({ program, requirements, tasks, quorum }: Priced): bigint {
  const replicaAtto = ceilDivide(BigInt(program.timeLimitMs) * requirements.maxPricePerSecondAtto, 1_000n);
  return BigInt(tasks.length) * BigInt(quorum) * replicaAtto;
}

const ceilDivide = (dividend: bigint, divisor: bigint) => (dividend + divisor - 1n) / divisor;
