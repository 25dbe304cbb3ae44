import type { AccountEvent, Budget, BudgetStanding } from '@astro/messages/billing';

const tenantId = 'tenant_1';
export const november = new Date('2026-11-01T00:00:00Z');
const budget = (budgetId: string, changes: Partial<Budget> = {}): Budget => ({
  budgetId,
  amountAtto: 1_000n,
  period: 'month',
  atLimit: 'hard_stop',
  thresholds: [50, 100],
  ...changes,
});
const standing = (
  budgetId: string,
  spentAtto = 0n,
  committedAtto = 0n,
  periodStart = november,
): BudgetStanding => ({ budgetId, periodStart, spentAtto, committedAtto });
const unused = (budgetId: string) => standing(budgetId, 0n, 0n, new Date(0));
const set = (of: Budget, tenant = tenantId): AccountEvent => ({
  type: 'BudgetSet',
  data: { tenantId: tenant, budget: of, standing: unused(of.budgetId) },
});
const job = { tenantId, jobId: 'job_1' };
const reached = (basis: 'charged' | 'committed', threshold: number): AccountEvent => {
  const { committedAtto, spentAtto, periodStart } = standing('digits', 500n, 500n);
  const figures = { amountAtto: 1_000n, committedAtto, spentAtto, period: 'month', periodStart } as const;
  return {
    type: 'BudgetThresholdReached',
    data: { tenantId, budgetId: 'digits', basis, threshold, ...figures },
  };
};

/** What is recorded of budgets and alerts; postings are left out, because nobody who follows them reads any. */
export const budgetsHistory: readonly AccountEvent[] = [
  set(budget('digits', { project: 'digits' })),
  set(budget('all', { period: 'none', atLimit: 'notice', thresholds: [] })),
  set(budget('gone', { apiKeyId: 'key_1' })),
  set(budget('digits'), 'tenant_2'),
  { type: 'BudgetRemoved', data: { tenantId, budgetId: 'gone' } },
  {
    type: 'FundsReserved',
    data: { ...job, postings: [], budgets: { standings: [standing('digits', 0n, 1_000n), standing('all')] } },
  },
  {
    type: 'TaskCharged',
    data: {
      ...{ ...job, taskId: 'task_1', feeBps: 250, burnBps: 0, meteredMs: 1, postings: [], work: [] },
      budgets: { standings: [standing('digits', 500n, 500n), standing('all', 500n, 500n, new Date(0))] },
    },
  },
  {
    type: 'StorageCharged',
    data: {
      ...{ tenantId, from: new Date(0), through: november, gibHoursAtto: 1n, pricePerGibHourAtto: 1n },
      ...{ arrearsAtto: 0n, operatorId: 'operator_1', feeBps: 250, burnBps: 0, postings: [] },
      budgets: { standings: [standing('all', 507n, 500n, new Date(0))] },
    },
  },
  reached('charged', 50),
  reached('committed', 100),
  { type: 'LowBalanceAlertSet', data: { tenantId, amountAtto: 7n } },
  { type: 'LowBalanceReached', data: { tenantId, spendableAtto: 6n, amountAtto: 7n } },
  { type: 'LowBalanceAlertSet', data: { tenantId: 'tenant_2', amountAtto: 7n } },
  { type: 'LowBalanceAlertSet', data: { tenantId: 'tenant_2' } },
];
