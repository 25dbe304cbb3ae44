import type { AccountEvent, Budget, BudgetStanding, ThresholdBasis } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { budgetsOver, standingAt, type Standings } from './budgets.js';
import { budgetsAfter } from './evolve-budgets.js';
import type { Account, BudgetAccount, JobScope } from './state.js';

/** Whatever changes what is reserved for a job, or is charged. */
type Counted = Extract<
  AccountEvent,
  { type: 'FundsReserved' | 'ReservationExtended' | 'TaskCharged' | 'FundsReleased' | 'StorageCharged' }
>;
const COUNTED: ReadonlySet<string> = new Set<Counted['type']>([
  ...(['FundsReserved', 'ReservationExtended', 'TaskCharged', 'FundsReleased', 'StorageCharged'] as const),
]);

/**
 * Writes into the events of one decision where they leave the budgets that count them, and adds the thresholds that are
 * reached. What is recorded is what counts: nobody computes it again.
 * @param at when that was recorded which the decision follows from
 */
export function countBudgets(
  events: readonly AccountEvent[],
  account: Account,
  at: Date | undefined,
): readonly AccountEvent[] {
  if (account.budgets.size === 0 || events.length === 0) return events;
  // A decision that removes or changes a budget may extend what waited for it: by then the budget is another.
  const counting = { open: account.open, budgets: budgetsAfter(events, account) };
  let standings: Standings = new Map();
  const counted = events.map(event => {
    const after = standingsAfter(event, counting, at, standings);
    if (after.length === 0) return event;
    standings = new Map([...standings, ...after.map(standing => [standing.budgetId, standing] as const)]);
    return isCounted(event) ? withStandings(event, after) : event;
  });
  const reached = [...standings.values()].flatMap(standing =>
    thresholdsReached(standing, counting.budgets.get(standing.budgetId)!, events[0]!.data.tenantId),
  );
  return [...counted, ...reached];
}

const isCounted = (event: AccountEvent): event is Counted => COUNTED.has(event.type);

/** Where the events of one decision leave the budgets that count them. */
export function standingsOf(
  events: readonly AccountEvent[],
  account: Account,
  at: Date | undefined,
  earlier: Standings = new Map(),
): Standings {
  if (account.budgets.size === 0) return earlier;
  const standings = new Map(earlier);
  for (const event of events)
    if (isCounted(event))
      for (const standing of standingsAfter(event, account, at, standings))
        standings.set(standing.budgetId, standing);
  return standings;
}

const withStandings = (event: Counted, standings: readonly BudgetStanding[]): AccountEvent =>
  ({ ...event, data: { ...event.data, budgets: { standings } } }) as Counted;

/** @param earlier where the events before it in the same decision leave them */
function standingsAfter(
  event: AccountEvent,
  account: Pick<Account, 'budgets' | 'open'>,
  at: Date | undefined,
  earlier: Standings,
): readonly BudgetStanding[] {
  if (event.type === 'ReservationDeclined' || event.type === 'ExtensionDeclined') {
    const { budget, requiredAtto } = event.data;
    const refusing = budget && account.budgets.get(budget.budgetId);
    if (!refusing) return [];
    // What was asked for in vain is told as if it were reserved.
    const standing = standingAt(refusing, at);
    return [{ ...standing, committedAtto: standing.committedAtto + requiredAtto }];
  }
  if (!isCounted(event)) return [];
  const { tenantId, postings } = event.data;
  const reservedAtto = changeOf(tenantAccount(tenantId, 'reserved'), postings);
  const chargedAtto = chargedBy(event);
  return budgetsOver(account.budgets, scopeIn(event, account.open)).map(entry => {
    const before = earlier.get(entry.budget.budgetId) ?? standingAt(entry, at);
    const committedAtto = before.committedAtto + reservedAtto;
    return { ...before, spentAtto: before.spentAtto + chargedAtto, committedAtto };
  });
}

/** Content is kept for the tenant as a whole, neither for a project nor for a key. */
function scopeIn(event: Counted, open: Account['open']): JobScope {
  if (event.type === 'StorageCharged') return {};
  return event.type === 'FundsReserved' ? event.data : open.get(event.data.jobId)!.scope;
}

function chargedBy({ type, data: { tenantId, postings } }: Counted): bigint {
  if (type === 'TaskCharged') return -changeOf(tenantAccount(tenantId, 'reserved'), postings);
  return type === 'StorageCharged' ? -changeOf(tenantAccount(tenantId, 'available'), postings) : 0n;
}

function thresholdsReached(
  standing: BudgetStanding,
  { budget, periodStart, told, isCommitmentTold }: BudgetAccount,
  tenantId: string,
): readonly AccountEvent[] {
  const { spentAtto, committedAtto } = standing;
  const isSamePeriod = standing.periodStart.getTime() === periodStart;
  const reached = budget.thresholds
    .filter(threshold => spentAtto * 100n >= budget.amountAtto * BigInt(threshold))
    .filter(threshold => !isSamePeriod || !told.has(threshold))
    .map(threshold => thresholdReached(tenantId, budget, standing, 'charged', threshold));
  const isPassed = spentAtto + committedAtto > budget.amountAtto;
  return isPassed && !(isSamePeriod && isCommitmentTold)
    ? [...reached, thresholdReached(tenantId, budget, standing, 'committed', 100)]
    : reached;
}

function thresholdReached(
  tenantId: string,
  { budgetId, amountAtto, period }: Budget,
  { periodStart, spentAtto, committedAtto }: BudgetStanding,
  basis: ThresholdBasis,
  threshold: number,
): AccountEvent {
  const standing = { spentAtto, committedAtto, period, periodStart };
  const data = { tenantId, budgetId, basis, threshold, amountAtto, ...standing };
  return { type: 'BudgetThresholdReached', data };
}
