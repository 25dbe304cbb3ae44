import { equal, ok } from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import type { AccountCommand, AccountEvent, Budget, BudgetStanding } from '@astro/messages/billing';
import { periodStart } from '@astro/messages/budget-periods';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import fc from 'fast-check';
import { account } from './account.js';
import type { Account, JobScope } from './state.js';

const tenantId = 't';
const RUNS = 1_000;
const HOUR_MS = 3_600_000;

const jobs = fc.constantFrom('job_1', 'job_2', 'job_3', 'job_4', 'job_5', 'job_6');
const scopes = fc.constantFrom<JobScope>(
  {},
  { project: 'p' },
  { apiKeyId: 'k' },
  { project: 'p', apiKeyId: 'k' },
);
/** Around the end of a month, so that days and months begin; in any order, because what follows travels apart. */
const moments = fc
  .integer({ min: -30, max: 30 })
  .map(hours => new Date(Date.UTC(2026, 11, 1) + hours * HOUR_MS));

const reservations = fc
  .tuple(jobs, fc.bigInt(0n, 60n), scopes, moments)
  .map(([jobId, amountAtto, scope, causedAt]): AccountCommand => {
    return { type: 'ReserveFunds', data: { tenantId, jobId, amountAtto, ...scope, causedAt } };
  });
const charges = fc
  .tuple(jobs, fc.constantFrom('task_1', 'task_2', 'task_3'), fc.bigInt(0n, 30n), moments)
  .map(([jobId, taskId, pricePerSecondAtto, causedAt]): AccountCommand => {
    const result = { leaseId: 'l', nodeId: 'n', operatorId: 'o', fault: 'none', digest: 'd' } as const;
    const work = [{ ...result, outputs: [], meteredMs: 1_000, pricePerSecondAtto }];
    return { type: 'ChargeTask', data: { tenantId, jobId, taskId, work, feeBps: 250, burnBps: 0, causedAt } };
  });
const releases = fc.tuple(jobs, fc.nat(2)).map(([jobId, expectedCharges]): AccountCommand => {
  return { type: 'ReleaseFunds', data: { tenantId, jobId, expectedCharges } };
});
/** Content that is kept, charged to the tenant as a whole; a period that was charged is not charged again. */
const keeping = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.bigInt(0n, 30n), moments)
  .map(([hours, pricePerGibHourAtto, causedAt]): AccountCommand => {
    const period = { from: new Date(0), through: new Date(hours * HOUR_MS), gibHoursAtto: 10n ** 18n };
    const terms = { pricePerGibHourAtto, operatorId: 'o', feeBps: 250, burnBps: 0 };
    return { type: 'ChargeStorage', data: { tenantId, ...period, ...terms, causedAt } };
  });
const ids = fc.constantFrom('b1', 'b2', 'b3', 'b4');
const settings = fc
  .record({
    budgetId: ids,
    scope: fc.constantFrom<JobScope>({}, { project: 'p' }, { apiKeyId: 'k' }),
    amountAtto: fc.bigInt(1n, 120n),
    period: fc.constantFrom('day' as const, 'month' as const, 'none' as const),
    atLimit: fc.constantFrom('notice' as const, 'hard_stop' as const),
    thresholds: fc.constantFrom([50], [10, 50, 80, 100], []),
  })
  .map(({ scope, ...budget }): AccountCommand => {
    return { type: 'SetBudget', data: { tenantId, budget: { ...budget, ...scope } } };
  });
const removals = ids.map((budgetId): AccountCommand => ({
  type: 'RemoveBudget',
  data: { tenantId, budgetId },
}));
const commands = fc.oneof(
  { arbitrary: reservations, weight: 5 },
  { arbitrary: charges, weight: 8 },
  { arbitrary: releases, weight: 2 },
  { arbitrary: keeping, weight: 2 },
  { arbitrary: settings, weight: 3 },
  { arbitrary: removals, weight: 1 },
);
const histories = fc.array(commands, { minLength: 1, maxLength: 40, size: 'max' });

type Step = { readonly command: AccountCommand; readonly events: readonly AccountEvent[] };

function run(history: readonly AccountCommand[], afterEach: (state: Account, step: Step) => void): void {
  let state = account.initialState;
  const credit = { type: 'CreditAccount', data: { tenantId, creditId: 'c', amountAtto: 300n } } as const;
  for (const command of [credit, ...history]) {
    const decision = account.decide(command, state);
    const events = decision.accepted ? decision.events : [];
    state = events.reduce(account.evolve, state);
    afterEach(state, { command, events });
  }
}

const holds = (check: (history: readonly AccountCommand[]) => void) =>
  fc.assert(fc.property(histories, check), { numRuns: RUNS });

const reserved = tenantAccount(tenantId, 'reserved');
const available = tenantAccount(tenantId, 'available');
const counts = (budget: Budget, scope: JobScope) =>
  (budget.project === undefined || budget.project === scope.project) &&
  (budget.apiKeyId === undefined || budget.apiKeyId === scope.apiKeyId);
const standingsIn = ({ data }: AccountEvent): readonly BudgetStanding[] =>
  'budgets' in data ? (data.budgets?.standings ?? []) : [];

test('no reservation takes a hard budget beyond its amount', () =>
  holds(history =>
    run(history, (state, { events }) => {
      for (const event of events) {
        if (event.type !== 'FundsReserved' || changeOf(reserved, event.data.postings) === 0n) continue;
        for (const { budgetId, spentAtto, committedAtto } of standingsIn(event)) {
          const { amountAtto, atLimit } = state.budgets.get(budgetId)!.budget;
          if (atLimit === 'hard_stop') ok(spentAtto + committedAtto <= amountAtto);
        }
      }
    }),
  ));

/** Charges under each budget, added up by the period in which they count: a period that has begun is never left. */
class Sums {
  readonly #sums = new Map<string, { readonly start: number; readonly spentAtto: bigint }>();

  add(budgetId: string, start: number, amountAtto: bigint): void {
    const before = this.#sums.get(budgetId) ?? { start: 0, spentAtto: 0n };
    const now = start > before.start ? { start, spentAtto: 0n } : before;
    this.#sums.set(budgetId, { ...now, spentAtto: now.spentAtto + amountAtto });
  }

  spentAtto(budgetId: string): bigint {
    return this.#sums.get(budgetId)?.spentAtto ?? 0n;
  }

  forget(budgetId: string): void {
    this.#sums.delete(budgetId);
  }
}

test('what a budget says is the sum of the charges in its scope and period, and of what open jobs hold', () =>
  holds(history => {
    const sums = new Sums();
    const scopeOf = new Map<string, JobScope>();
    run(history, (state, { command, events }) => {
      for (const { type, data } of events) {
        if (type === 'BudgetRemoved') sums.forget(data.budgetId);
        if (type === 'BudgetThresholdReached') sums.add(data.budgetId, data.periodStart.getTime(), 0n);
        if (type === 'FundsReserved') scopeOf.set(data.jobId, data);
        if (type !== 'FundsReserved' && type !== 'TaskCharged' && type !== 'StorageCharged') continue;
        const { causedAt } = command.data as { causedAt: Date };
        const isKeeping = type === 'StorageCharged';
        const paid = -changeOf(isKeeping ? available : reserved, data.postings);
        const chargedAtto = type === 'FundsReserved' ? 0n : paid;
        for (const { budget } of state.budgets.values()) {
          if (!counts(budget, isKeeping ? {} : scopeOf.get(data.jobId)!)) continue;
          sums.add(budget.budgetId, periodStart(budget.period, causedAt).getTime(), chargedAtto);
        }
      }
      for (const { budget, spentAtto, committedAtto } of state.budgets.values()) {
        const open = [...state.open.values()].filter(({ scope }) => counts(budget, scope));
        const heldAtto = open.reduce((sum, { leftAtto }) => sum + leftAtto, 0n);
        equal(committedAtto, heldAtto);
        equal(spentAtto, sums.spentAtto(budget.budgetId));
      }
    });
  }));

test('each threshold that is reached is told once in a period, until the amount is another', () =>
  holds(history => {
    const told = new Set<string>();
    const amounts = new Map<string, bigint>();
    run(history, (state, { events }) => {
      for (const { type, data } of events) {
        if (type === 'BudgetSet' && amounts.get(data.budget.budgetId) !== data.budget.amountAtto) {
          const { budgetId, amountAtto } = data.budget;
          amounts.set(budgetId, amountAtto);
          for (const key of told) if (key.startsWith(`${budgetId} `)) told.delete(key);
        }
        if (type === 'BudgetRemoved') amounts.delete(data.budgetId);
        if (type !== 'BudgetThresholdReached') continue;
        const { budgetId, basis, threshold, periodStart: start } = data;
        const key = `${budgetId} ${basis} ${threshold} ${start.toISOString()}`;
        ok(!told.has(key), `${key} was told twice`);
        told.add(key);
      }
      for (const { budgetId, periodStart: start, spentAtto } of events.flatMap(standingsIn)) {
        const { amountAtto, thresholds } = state.budgets.get(budgetId)!.budget;
        for (const threshold of thresholds) {
          if (spentAtto * 100n < amountAtto * BigInt(threshold)) continue;
          ok(told.has(`${budgetId} charged ${threshold} ${start.toISOString()}`), 'it was not told');
        }
      }
    });
  }));

test('what is recorded is what counts, and periods only go on', () =>
  holds(history => {
    const starts = new Map<string, number>();
    run(history, (state, { events }) => {
      for (const event of events) {
        if (event.type === 'BudgetRemoved') starts.delete(event.data.budgetId);
        for (const { budgetId, periodStart: start } of standingsIn(event)) {
          ok(start.getTime() >= (starts.get(budgetId) ?? 0));
          starts.set(budgetId, start.getTime());
        }
      }
      const last = new Map(events.flatMap(standingsIn).map(standing => [standing.budgetId, standing]));
      for (const { budgetId, spentAtto, committedAtto } of last.values())
        expect(state.budgets.get(budgetId)).toMatchObject({ spentAtto, committedAtto });
    });
  }));

test('a job is remembered with what budgets count it by as long as it holds money, and no longer', () =>
  holds(history =>
    run(history, state => {
      for (const { value } of state.settled.entries.values()) ok(!('scope' in value));
    }),
  ));

test('no two budgets count the same jobs in the same periods', () =>
  holds(history =>
    run(history, state => {
      const budgets = [...state.budgets.values()].map(({ budget }) => budget);
      const counted = budgets.map(({ project, apiKeyId, period }) => `${project} ${apiKeyId} ${period}`);
      equal(new Set(counted).size, counted.length);
    }),
  ));

test('histories do reach declines, thresholds of both kinds and new periods', () => {
  const seen = { declines: 0, charged: 0, committed: 0, later: 0, kept: 0 };
  for (const history of fc.sample(histories, { numRuns: RUNS, seed: 7 })) {
    run(history, (_state, { events }) => {
      for (const event of events) {
        const { type, data } = event;
        if (type === 'ReservationDeclined' && data.budget) seen.declines += 1;
        if (type === 'BudgetThresholdReached' && data.basis === 'charged') seen.charged += 1;
        if (type === 'BudgetThresholdReached' && data.basis === 'committed') seen.committed += 1;
        if (type === 'StorageCharged' && data.budgets) seen.kept += 1;
        const starts = standingsIn(event).map(({ periodStart: start }) => start.getTime());
        if (starts.some(start => start >= Date.UTC(2026, 11, 1))) seen.later += 1;
      }
    });
  }
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(100);
});
