import { isCid } from '@astro/messages/content-id';

/** What the pool itself has seen of a node, and what the node says of what it holds. */
export type NodeRecord = {
  /** Leases that it completed, and those that it failed or let expire; older ones count less. */
  kept: number;
  broken: number;
  /** Contents that it has worked with lately and so is likely to hold, oldest first. */
  readonly datasets: Set<string>;
  /** Once it has said which contents it holds, that counts in place of what is likely. */
  told: Told | undefined;
};

export type Told = {
  readonly held: ReadonlySet<string>;
  /** Something that it said did not come: what it holds is not known until it says all of it. */
  readonly isLost: boolean;
  /** When all that it has told would have been told, had it kept the pace. */
  readonly paidUntilMs: number;
};

export const recordLimits = {
  /** Nodes that are remembered, those that are away too. */
  nodes: 100_000,
  datasetsOfNode: 64,
  /** Beyond so many leases both counts are halved, so that a node can mend its ways. */
  leasesCounted: 256,
} as const;

/** A newcomer counts as one that kept nine of ten leases. */
const PRIOR = { kept: 9, all: 10 };

export const newRecord = (): NodeRecord => ({
  kept: 0,
  broken: 0,
  datasets: new Set(),
  told: undefined,
});

/** The share of its leases that it keeps, in hundredths: finer steps would move every score at every lease. */
export const reliabilityOf = ({ kept, broken }: NodeRecord): number =>
  Math.round((100 * (kept + PRIOR.kept)) / (kept + broken + PRIOR.all)) / 100;

export function countLease(record: NodeRecord, isKept: boolean): void {
  if (isKept) record.kept += 1;
  else record.broken += 1;
  if (record.kept + record.broken <= recordLimits.leasesCounted) return;
  record.kept = Math.floor(record.kept / 2);
  record.broken = Math.floor(record.broken / 2);
}

/** Names of all that it holds as far as is known. Images are no contents: nobody is told of those. */
export const holdingsOf = ({ datasets, told }: NodeRecord): readonly string[] =>
  told ? [...[...datasets].filter(name => !isCid(name)), ...told.held] : [...datasets];

/** Whether any of them is new. */
export function noteDatasets({ datasets }: NodeRecord, cids: readonly string[]): boolean {
  const isNew = cids.some(cid => !datasets.has(cid));
  if (!isNew) return false;
  for (const cid of cids) {
    datasets.delete(cid);
    datasets.add(cid);
  }
  for (const oldest of datasets) {
    if (datasets.size <= recordLimits.datasetsOfNode) break;
    datasets.delete(oldest);
  }
  return true;
}
