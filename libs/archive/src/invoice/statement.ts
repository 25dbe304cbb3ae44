import type { StoredMessage } from '@astro/jetstream/stored-messages';
import type { InvoiceStatement } from '@astro/messages/billing';
import { chargeIn, leafOf, type Amounts, type Charge, type InvoiceOf } from './charges.js';
import { treeOf, type MerkleTree } from './merkle.js';

/** Of one invoice: what fits into a file that can be read at once. */
export const CHARGES_MAX = 100_000;

/** What several charges are together. */
export type Sums = Amounts & {
  readonly charges: number;
  /** Of work. */
  readonly meteredMs: number;
};

/** What one job cost within the month. */
export type JobCharges = Sums & { readonly jobId: string };

/** What was kept in the month, in 10^-18 GiB-hours, and what that cost. */
export type StorageCharges = Sums & { readonly gibHoursAtto: bigint };

export type Stated = {
  readonly statement: InvoiceStatement;
  readonly tree: MerkleTree;
  /** In the order of their first charges. */
  readonly jobs: readonly JobCharges[];
  /** Nothing where no kept content was charged. */
  readonly storage: StorageCharges | undefined;
};

/**
 * Sums charges up. Of the events themselves only their hashes are kept.
 * @param charges of the tenant and month, in the order of their stream
 * @throws RangeError when they are more than an invoice can have
 */
export async function stateCharges(
  { tenantId, month, hasNoStorage = false }: InvoiceOf,
  charges: AsyncIterable<StoredMessage>,
  throughPosition: number,
): Promise<Stated> {
  const leaves: Buffer[] = [];
  const jobs = new Map<string, JobCharges>();
  let storage: StorageCharges | undefined;
  let [fromPosition, toPosition] = [0, 0];
  for await (const event of charges) {
    if (leaves.length === CHARGES_MAX) throw new RangeError(`an invoice has at most ${CHARGES_MAX} charges`);
    if (leaves.length === 0) fromPosition = event.sequence;
    toPosition = event.sequence;
    leaves.push(leafOf(event));
    const charge = chargeIn(event);
    if (charge.kind === 'storage') storage = storageWith(storage, charge);
    else jobs.set(charge.jobId, { ...sumOf([jobs.get(charge.jobId), once(charge)]), jobId: charge.jobId });
  }
  const tree = treeOf(leaves);
  const { amountAtto: totalAtto, burnedAtto, validatorsAtto, ...sums } = sumOf([...jobs.values(), storage]);
  const positions = { fromPosition, toPosition, throughPosition };
  const told = { storageAtto: storage?.amountAtto ?? 0n, burnedAtto, validatorsAtto };
  const root = tree.root.toString('hex');
  return {
    statement: { tenantId, month, ...sums, totalAtto, ...positions, root, ...(!hasNoStorage && told) },
    tree,
    jobs: [...jobs.values()],
    storage,
  };
}

const nothingCharged: Sums = {
  ...{ charges: 0, meteredMs: 0 },
  ...{ amountAtto: 0n, feeAtto: 0n, burnedAtto: 0n, validatorsAtto: 0n },
};

const once = (charge: Charge): Sums => {
  const { amountAtto, feeAtto, burnedAtto, validatorsAtto } = charge;
  const meteredMs = charge.kind === 'task' ? charge.meteredMs : 0;
  return { charges: 1, meteredMs, amountAtto, feeAtto, burnedAtto, validatorsAtto };
};

const storageWith = (
  before: StorageCharges | undefined,
  charge: Extract<Charge, { kind: 'storage' }>,
): StorageCharges => ({
  ...sumOf([before, once(charge)]),
  gibHoursAtto: (before?.gibHoursAtto ?? 0n) + charge.gibHoursAtto,
});

/** What several cost together. */
export const sumOf = (parts: readonly (Sums | undefined)[]): Sums =>
  parts.reduce<Sums>(
    (sum, part = nothingCharged) => ({
      charges: sum.charges + part.charges,
      meteredMs: sum.meteredMs + part.meteredMs,
      amountAtto: sum.amountAtto + part.amountAtto,
      feeAtto: sum.feeAtto + part.feeAtto,
      burnedAtto: sum.burnedAtto + part.burnedAtto,
      validatorsAtto: sum.validatorsAtto + part.validatorsAtto,
    }),
    nothingCharged,
  );
