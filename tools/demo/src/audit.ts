import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { replay } from '@astro/jetstream/replay';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { escrowCustody, postingsIn } from '@astro/messages/ledger-accounts';
import type { JobEvent, PoolEvent } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';
import { chargesIn, settledIn, sum, type Charges, type Settled } from './charges.js';

/** What the events alone say about a run; nothing here asks a service or a table. */
export type Audit = {
  readonly events: number;
  readonly jobs: number;
  readonly tasks: number;
  readonly succeeded: number;
  readonly leases: number;
  /** Refuted results by operator. */
  readonly refuted: ReadonlyMap<string, number>;
  /** Completed leases by node. */
  readonly completed: ReadonlyMap<string, number>;
  readonly charges: Charges;
  readonly settled: Settled;
  /** Balance of every account of the ledger. */
  readonly balances: ReadonlyMap<string, bigint>;
  /** The sum over all accounts; a ledger that balances gives zero. */
  readonly ledgerSumAtto: bigint;
  /** Transactions whose own postings do not sum to zero. */
  readonly unbalanced: readonly string[];
  /** Jobs with more or less than one terminal event. */
  readonly jobsNotEndedOnce: readonly string[];
};

const CONTEXTS = ['registry', 'scheduling', 'verification', 'billing'] as const;
const TERMINAL = new Set(['JobSucceeded', 'JobFailed', 'JobCancelled']);
const JOBS = 'scheduling.job';
/** Whose events move money. */
const LEDGER: ReadonlySet<string> = new Set(['billing.account', 'billing.settlement']);

/** Reads every event of every context from the beginning and adds up. */
export async function auditEvents(bus: Bus): Promise<Audit> {
  const events: Recorded[] = [];
  for (const context of CONTEXTS) for await (const recorded of replay(bus, context)) events.push(recorded);
  const of = <Event>(type: string) =>
    events.filter(({ aggregate }) => aggregate.type === type).map(({ event }) => event as Event);

  const jobs = of<JobEvent>(JOBS);
  const pool = of<PoolEvent>('scheduling.pool');
  const verdicts = of<TaskEvent>('verification.task').filter(({ type }) => type === 'ResultVerified');
  const transactions = events
    .filter(({ aggregate }) => LEDGER.has(aggregate.type))
    .map(({ id, event }) => ({ id, postings: postingsIn(event) }));
  const balances = tally(
    transactions.flatMap(({ postings }) => postings.map(p => [p.account, p.amountAtto] as const)),
    0n,
  );

  const endings = tally(
    events
      .filter(({ aggregate }) => aggregate.type === JOBS)
      .map(({ aggregate, event }) => [aggregate.id, TERMINAL.has(event.type) ? 1 : 0] as const),
    0,
  );
  return {
    events: events.length,
    jobs: jobs.filter(({ type }) => type === 'JobSubmitted').length,
    tasks: jobs.reduce(
      (sum, event) => sum + (event.type === 'JobSubmitted' ? event.data.spec.tasks.length : 0),
      0,
    ),
    succeeded: jobs.filter(({ type }) => type === 'TaskSucceeded').length,
    leases: pool.reduce(
      (sum, event) => sum + (event.type === 'LeasesGranted' ? event.data.grants.length : 0),
      0,
    ),
    refuted: tally(
      verdicts
        .flatMap(event => (event.type === 'ResultVerified' ? event.data.refuted : []))
        .map(result => [result.operatorId, 1] as const),
      0,
    ),
    completed: tally(
      pool.flatMap(event =>
        event.type === 'LeaseCompleted' ? [[event.data.result.nodeId, 1] as const] : [],
      ),
      0,
    ),
    charges: chargesIn(of<AccountEvent>('billing.account')),
    settled: settledIn(of<SettlementEvent>('billing.settlement')),
    balances,
    ledgerSumAtto: sum([...balances.values()]),
    unbalanced: transactions
      .filter(({ postings }) => sum(postings.map(p => p.amountAtto)) !== 0n)
      .map(({ id }) => id),
    jobsNotEndedOnce: [...endings].filter(([, ends]) => ends !== 1).map(([jobId]) => jobId),
  };
}

/** What Escrow holds by the ledger. */
export const custodyAtto = ({ balances }: Audit): bigint => -(balances.get(escrowCustody) ?? 0n);

/** Adds up amounts by key. */
function tally<Amount extends number | bigint>(
  entries: readonly (readonly [string, Amount])[],
  zero: Amount,
): Map<string, Amount> {
  const totals = new Map<string, Amount>();
  for (const [key, amount] of entries)
    totals.set(key, (((totals.get(key) ?? zero) as number) + (amount as number)) as Amount);
  return totals;
}
