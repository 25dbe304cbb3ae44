import type { StoredMessage } from '@astro/jetstream/stored-messages';
import type { InvoiceStatement } from '@astro/messages/billing';
import { chargeIn, leafOf, type InvoiceOf } from './charges.js';
import { treeOf, type MerkleTree } from './merkle.js';

/** Of one invoice: what fits into a file that can be read at once. */
export const CHARGES_MAX = 100_000;

/** What one job cost within the month. */
export type JobCharges = {
  readonly jobId: string;
  readonly charges: number;
  readonly meteredMs: number;
  readonly amountAtto: bigint;
  readonly feeAtto: bigint;
};

export type Stated = {
  readonly statement: InvoiceStatement;
  readonly tree: MerkleTree;
  /** In the order of their first charges. */
  readonly jobs: readonly JobCharges[];
};

/**
 * Sums charges up. Of the events themselves only their hashes are kept.
 * @param charges of the tenant and month, in the order of their stream
 * @throws RangeError when they are more than an invoice can have
 */
export async function stateCharges(
  { tenantId, month }: InvoiceOf,
  charges: AsyncIterable<StoredMessage>,
  throughPosition: number,
): Promise<Stated> {
  const leaves: Buffer[] = [];
  const jobs = new Map<string, JobCharges>();
  let [fromPosition, toPosition] = [0, 0];
  for await (const event of charges) {
    if (leaves.length === CHARGES_MAX) throw new RangeError(`an invoice has at most ${CHARGES_MAX} charges`);
    if (leaves.length === 0) fromPosition = event.sequence;
    toPosition = event.sequence;
    leaves.push(leafOf(event));
    const { jobId, meteredMs, amountAtto, feeAtto } = chargeIn(event);
    const before = jobs.get(jobId) ?? nothingCharged;
    jobs.set(jobId, {
      jobId,
      charges: before.charges + 1,
      meteredMs: before.meteredMs + meteredMs,
      amountAtto: before.amountAtto + amountAtto,
      feeAtto: before.feeAtto + feeAtto,
    });
  }
  const tree = treeOf(leaves);
  const { charges: count, meteredMs, amountAtto: totalAtto, feeAtto } = sumOf([...jobs.values()]);
  const positions = { fromPosition, toPosition, throughPosition };
  const sums = { charges: count, meteredMs, totalAtto, feeAtto };
  return {
    statement: { tenantId, month, ...sums, ...positions, root: tree.root.toString('hex') },
    tree,
    jobs: [...jobs.values()],
  };
}

const nothingCharged = { charges: 0, meteredMs: 0, amountAtto: 0n, feeAtto: 0n };

/** What several jobs cost together. */
export const sumOf = (jobs: readonly Omit<JobCharges, 'jobId'>[]): Omit<JobCharges, 'jobId'> =>
  jobs.reduce(
    (sum, job) => ({
      charges: sum.charges + job.charges,
      meteredMs: sum.meteredMs + job.meteredMs,
      amountAtto: sum.amountAtto + job.amountAtto,
      feeAtto: sum.feeAtto + job.feeAtto,
    }),
    nothingCharged,
  );
