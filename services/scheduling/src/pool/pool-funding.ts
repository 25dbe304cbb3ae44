/** What the pool knows of the money of a job that is funded stepwise. */
export type PoolFunding = {
  /** All that was set aside for it so far. */
  fundedAtto: bigint;
  /** What its closed tasks cost. */
  spentAtto: bigint;
  /** The most that those of its open tasks can cost that have begun. Never more than is left beside what was spent. */
  committedAtto: bigint;
  /** Those tasks, and how many of them wait for a node. */
  begun: number;
  waiting: number;
  /** Requests for more so far, and what became of the last. */
  requests: number;
  lastRequest: 'granted' | 'open' | 'declined';
  /** Of a request that was declined: what is missing, whether for a budget, and when the notice is over. */
  missingAtto: bigint;
  budgetId?: string | undefined;
  stopsAt: Date | undefined;
};
