import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, AccountEvent, Budget, ThresholdBasis } from '@astro/messages/billing';
import { account } from './account.js';
import { limitOfBudgets } from './budgets.js';
import type { JobScope } from './state.js';

const given = specify(account);
const tenantId = 'tenant_1';
const noon = (day: number, month = 11) => new Date(Date.UTC(2026, month - 1, day, 12));
const november = new Date('2026-11-01T00:00:00Z');

const plain: Budget = {
  budgetId: 'b',
  amountAtto: 1_000n,
  period: 'month',
  atLimit: 'hard_stop',
  thresholds: [50, 100],
};
const set = (changes: Partial<Budget> = {}): AccountCommand => ({
  type: 'SetBudget',
  data: { tenantId, budget: { ...plain, ...changes } },
});
const remove: AccountCommand = { type: 'RemoveBudget', data: { tenantId, budgetId: 'b' } };
const credit = (amountAtto: bigint, creditId = 'c'): AccountCommand => ({
  type: 'CreditAccount',
  data: { tenantId, creditId, amountAtto },
});
const reserve = (
  jobId: string,
  amountAtto: bigint,
  { causedAt = noon(1), ...scope }: JobScope & { causedAt?: Date } = {},
): AccountCommand => ({ type: 'ReserveFunds', data: { tenantId, jobId, amountAtto, causedAt, ...scope } });
/** Costs exactly `amountAtto`: a second at that price. */
const charge = (jobId: string, amountAtto: bigint, causedAt = noon(1), taskId = 't'): AccountCommand => {
  const result = {
    leaseId: 'l',
    nodeId: 'n',
    operatorId: 'o',
    fault: 'none',
    digest: 'd',
    outputs: [],
  } as const;
  const work = [{ ...result, meteredMs: 1_000, pricePerSecondAtto: amountAtto }];
  return {
    type: 'ChargeTask',
    data: { tenantId, jobId, taskId, work, feeBps: 250, burnBps: 0, causedAt },
  };
};
const release = (jobId: string, expectedCharges = 1): AccountCommand => ({
  type: 'ReleaseFunds',
  data: { tenantId, jobId, expectedCharges },
});
const alertBelow = (amountAtto?: bigint): AccountCommand => ({
  type: 'SetLowBalanceAlert',
  data: { tenantId, ...(amountAtto !== undefined && { amountAtto }) },
});

/** Decides them one after the other, and says what followed from the last. @throws Error when one is refused */
function after(...commands: readonly AccountCommand[]) {
  let state = account.initialState;
  const all: AccountEvent[] = [];
  let events: readonly AccountEvent[] = [];
  for (const command of [credit(10_000n), ...commands]) {
    const decision = account.decide(command, state);
    if (!decision.accepted) throw new Error(`${command.type}: ${decision.rejection} ${decision.detail}`);
    events = decision.events;
    all.push(...events);
    state = events.reduce(account.evolve, state);
  }
  return { state, all, events, types: events.map(({ type }) => type) };
}
const refusedAfter = (commands: readonly AccountCommand[], command: AccountCommand) =>
  account.decide(command, after(...commands).state);
const standings = (events: readonly AccountEvent[]) =>
  events.flatMap(({ data }) => ('budgets' in data ? (data.budgets?.standings ?? []) : []));
const told = (events: readonly AccountEvent[]) =>
  events.flatMap(({ type, data }): [ThresholdBasis, number][] =>
    type === 'BudgetThresholdReached' ? [[data.basis, data.threshold]] : [],
  );

describe('a budget', () => {
  const standing = { budgetId: 'b', periodStart: new Date(0), spentAtto: 0n, committedAtto: 0n };
  const isSet: AccountEvent = { type: 'BudgetSet', data: { tenantId, budget: plain, standing } };

  test('is set', () => given().when(set()).then(isSet));
  test('is set once', () => given(isSet).when(set()).thenNothing());
  test('takes another amount', () =>
    given(isSet)
      .when(set({ amountAtto: 5n }))
      .then({ type: 'BudgetSet', data: { tenantId, budget: { ...plain, amountAtto: 5n }, standing } }));
  test('keeps its scope', () =>
    given(isSet)
      .when(set({ project: 'p' }))
      .thenRejected('BudgetIsFixed'));
  test('keeps its period', () =>
    given(isSet)
      .when(set({ period: 'day' }))
      .thenRejected('BudgetIsFixed'));
  test('shares its scope and period with no other', () =>
    given(isSet)
      .when(set({ budgetId: 'c' }))
      .thenRejected('BudgetExists'));
  test('may have the scope of another with another period', () =>
    expect(after(set(), set({ budgetId: 'c', period: 'day' })).types).toEqual(['BudgetSet']));
  test('is removed', () =>
    given(isSet)
      .when(remove)
      .then({ type: 'BudgetRemoved', data: { tenantId, budgetId: 'b' } }));
  test('that is not there is not removed', () => given().when(remove).thenRejected('BudgetNotFound'));
  test('is one of at most 64', () => {
    const others = Array.from({ length: 64 }, (_, n) => set({ budgetId: `b${n}`, project: `p${n}` }));
    expect(refusedAfter(others, set())).toMatchObject({ rejection: 'TooManyBudgets' });
  });

  test.each<[string, Partial<Budget>, string]>([
    ['an amount of zero', { amountAtto: 0n }, 'amountAtto'],
    ['a negative amount', { amountAtto: -1n }, 'amountAtto'],
    ['an amount of 2^256', { amountAtto: 2n ** 256n }, 'amountAtto'],
    ['no period', { period: 'unspecified' }, 'period'],
    ['no end', { atLimit: 'unspecified' }, 'atLimit'],
    ['two scopes', { project: 'p', apiKeyId: 'k' }, 'scope'],
    ['a project without a name', { project: '' }, 'scope.project'],
    ['a project with a space', { project: 'a b' }, 'scope.project'],
    ['a project with too long a name', { project: 'p'.repeat(65) }, 'scope.project'],
    ['a key without an id', { apiKeyId: '' }, 'scope.apiKeyId'],
    ['an id with a slash', { budgetId: 'a/b' }, 'budgetId'],
    ['a threshold of nothing', { thresholds: [0] }, 'thresholds[0]'],
    ['a threshold over 100', { thresholds: [50, 101] }, 'thresholds[1]'],
    ['a threshold that is not whole', { thresholds: [50.5] }, 'thresholds[0]'],
    ['a threshold twice', { thresholds: [50, 50] }, 'thresholds[1]'],
    ['unordered thresholds', { thresholds: [80, 50] }, 'thresholds[1]'],
    ['eleven thresholds', { thresholds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] }, 'thresholds'],
  ])('with %s is refused, and the field is named', (_what, changes, field) => {
    const detail: unknown = expect.stringMatching(new RegExp(`^${field.replace(/[[\].]/g, '\\$&')}: \\S`));
    expect(refusedAfter([], set(changes))).toMatchObject({ rejection: 'BudgetIsInvalid', detail });
  });
});

describe('a hard stop', () => {
  const declined = (events: readonly AccountEvent[]) =>
    events.flatMap(({ type, data }) => (type === 'ReservationDeclined' ? [data] : []));

  test('declines what would pass it, and names the budget', () => {
    const { events } = after(set(), reserve('a', 600n), reserve('b', 401n));
    const budget = { budgetId: 'b', leftAtto: 400n };
    expect(declined(events)).toMatchObject([{ reason: 'budget', requiredAtto: 401n, budget }]);
  });
  test('takes all that is left', () =>
    expect(after(set(), reserve('a', 600n), reserve('b', 400n)).types).toEqual(['FundsReserved']));
  test('does not count what was released', () => {
    const freed = [reserve('a', 600n), charge('a', 100n), release('a')];
    expect(after(set(), ...freed, reserve('b', 900n)).types).toEqual(['FundsReserved']);
    expect(declined(after(set(), ...freed, reserve('b', 901n)).events)).toHaveLength(1);
  });
  test('lets pass what costs nothing, even below what is spent', () => {
    const spent = [set(), reserve('a', 600n), charge('a', 600n), set({ amountAtto: 1n })];
    expect(after(...spent, reserve('b', 0n)).types).toContain('FundsReserved');
    expect(declined(after(...spent, reserve('b', 1n)).events)).toMatchObject([{ budget: { leftAtto: 0n } }]);
  });
  test('of a project counts its jobs alone', () => {
    const ofProject = [set({ project: 'p' }), reserve('a', 1_000n, { project: 'p' })];
    expect(declined(after(...ofProject, reserve('b', 1n, { project: 'p' })).events)).toHaveLength(1);
    for (const scope of [{}, { project: 'q' }, { apiKeyId: 'p' }])
      expect(after(...ofProject, reserve('b', 1n, scope)).types).toEqual(['FundsReserved']);
  });
  test('of a key counts its jobs alone', () => {
    const ofKey = [set({ apiKeyId: 'k' }), reserve('a', 1_000n, { apiKeyId: 'k', project: 'p' })];
    expect(declined(after(...ofKey, reserve('b', 1n, { apiKeyId: 'k' })).events)).toHaveLength(1);
    expect(after(...ofKey, reserve('b', 1n, { apiKeyId: 'l', project: 'p' })).types).toEqual([
      'FundsReserved',
    ]);
  });
  test('counts what was reserved in its scope before it was set', () => {
    const { state } = after(reserve('a', 700n, { project: 'p' }), reserve('c', 50n), set({ project: 'p' }));
    const { budgets } = state;
    expect(limitOfBudgets(budgets, { project: 'p' }, noon(1))).toEqual({ budgetId: 'b', leftAtto: 300n });
    expect(limitOfBudgets(budgets, {}, noon(1))).toBeUndefined();
  });
  test('begins anew with each month; what is still reserved goes on counting', () => {
    const spent = [set(), reserve('a', 1_000n), charge('a', 700n)];
    expect(declined(after(...spent, reserve('b', 701n, { causedAt: noon(1, 12) })).events)).toHaveLength(1);
    expect(after(...spent, reserve('b', 700n, { causedAt: noon(1, 12) })).types).toEqual(['FundsReserved']);
  });
  test('begins anew with each day', () => {
    const spent = [set({ period: 'day' }), reserve('a', 1_000n), charge('a', 1_000n)];
    const nextDay = new Date('2026-11-02T00:00:00Z');
    expect(after(...spent, reserve('b', 1_000n, { causedAt: nextDay })).types).toEqual(['FundsReserved']);
    const lastMoment = new Date(nextDay.getTime() - 1);
    expect(declined(after(...spent, reserve('b', 1n, { causedAt: lastMoment })).events)).toHaveLength(1);
  });
  test('without a period never begins anew', () => {
    const spent = [set({ period: 'none' }), reserve('a', 1_000n), charge('a', 1_000n)];
    expect(declined(after(...spent, reserve('b', 1n, { causedAt: noon(1, 12) })).events)).toHaveLength(1);
  });
  test('stays declined for a job after the budget is gone', () =>
    expect(after(set(), reserve('a', 1_001n), remove, reserve('a', 1_001n)).types).toEqual([]));
  test('comes after the money: who has too little is told so', () =>
    expect(declined(after(set(), reserve('a', 10_001n)).events)[0]).not.toHaveProperty('reason'));
});

describe('a notice', () => {
  const notice = set({ atLimit: 'notice' });

  test('stops nothing, and is told once when more is committed than the amount', () => {
    const commands = [notice, reserve('a', 1_000n), reserve('b', 1n)];
    expect(after(...commands).types).toEqual(['FundsReserved', 'BudgetThresholdReached']);
    expect(after(...commands, reserve('c', 1n)).types).toEqual(['FundsReserved']);
  });
  test('is told again in the next month', () => {
    const before = [notice, reserve('a', 1_000n), charge('a', 900n), reserve('b', 1n)];
    const december = { causedAt: noon(1, 12) };
    const commands = [...before, reserve('c', 1n, december), reserve('d', 899n, december)];
    expect(told(after(...commands).events)).toEqual([['committed', 100]]);
  });
});

describe('what is recorded', () => {
  test('is where each event leaves the budgets that count it', () => {
    const commands = [set(), reserve('a', 600n), charge('a', 200n), release('a')];
    expect(standings(after(...commands).all)).toEqual([
      { budgetId: 'b', periodStart: november, spentAtto: 0n, committedAtto: 600n },
      { budgetId: 'b', periodStart: november, spentAtto: 200n, committedAtto: 400n },
      { budgetId: 'b', periodStart: november, spentAtto: 200n, committedAtto: 0n },
    ]);
  });
  test('counts a charge and the release that comes with it one after the other', () => {
    const commands = [set(), reserve('a', 600n), release('a'), charge('a', 200n)];
    const { types, events } = after(...commands);
    expect(types).toEqual(['TaskCharged', 'FundsReleased']);
    expect(standings(events)).toMatchObject([
      { spentAtto: 200n, committedAtto: 400n },
      { spentAtto: 200n, committedAtto: 0n },
    ]);
  });
  test('says nothing where no budget counts', () => {
    const { all } = after(set({ project: 'p' }), reserve('a', 600n), charge('a', 200n), release('a'));
    expect(all.filter(({ data }) => 'budgets' in data)).toEqual([]);
  });
  test('counts a charge that comes late in the period that has begun', () => {
    const begun = [set(), reserve('a', 400n), reserve('b', 1n, { causedAt: noon(1, 12) })];
    expect(standings(after(...begun, charge('a', 200n, noon(30))).events)).toMatchObject([
      { periodStart: new Date('2026-12-01T00:00:00Z'), spentAtto: 200n, committedAtto: 201n },
    ]);
  });
});

describe('a threshold', () => {
  const spent = (amountAtto: bigint, at = noon(1), taskId = 't') => charge('a', amountAtto, at, taskId);
  const begun = [set(), reserve('a', 1_000n)];

  test('is told with the charge that reaches it', () => {
    const { events } = after(...begun, spent(499n), spent(1n, noon(2), 't2'));
    const figures = { amountAtto: 1_000n, spentAtto: 500n, committedAtto: 500n };
    const data = { budgetId: 'b', basis: 'charged', threshold: 50, period: 'month', periodStart: november };
    expect(events.at(-1)).toMatchObject({ type: 'BudgetThresholdReached', data: { ...data, ...figures } });
  });
  test('is not told before', () => expect(told(after(...begun, spent(499n)).events)).toEqual([]));
  test('is told once in a period', () =>
    expect(told(after(...begun, spent(500n), spent(10n, noon(2), 't2')).all)).toEqual([['charged', 50]]));
  test('is told again in the next', () => {
    const next = [spent(500n, noon(1, 12), 't2')];
    expect(told(after(...begun, spent(500n), ...next).events)).toEqual([['charged', 50]]);
  });
  test('is told in a period that a reservation began', () => {
    const next = [reserve('b', 1n, { causedAt: noon(1, 12) }), spent(500n, noon(1, 12), 't2')];
    expect(told(after(...begun, spent(500n), ...next).events)).toEqual([['charged', 50]]);
  });
  test('is told with others that one charge reaches', () =>
    expect(told(after(...begun, spent(1_000n)).events)).toEqual([
      ['charged', 50],
      ['charged', 100],
    ]));
  test('of another amount is told anew', () => {
    const raised = [...begun, spent(600n), set({ amountAtto: 2_000n })];
    expect(told(after(...raised, spent(300n, noon(2), 't2')).events)).toEqual([]);
    expect(told(after(...raised, spent(400n, noon(2), 't2')).events)).toEqual([['charged', 50]]);
  });
  test('is told once when a hard stop declines', () => {
    const asked = [...begun, reserve('b', 1n)];
    expect(told(after(...asked).events)).toEqual([['committed', 100]]);
    expect(told(after(...asked, reserve('c', 1n)).events)).toEqual([]);
    expect(told(after(...asked, reserve('c', 1n, { causedAt: noon(1, 12) })).events)).toEqual([
      ['committed', 100],
    ]);
  });
});

describe('a low balance', () => {
  const reached = (spendableAtto: bigint, amountAtto: bigint): AccountEvent => ({
    type: 'LowBalanceReached',
    data: { tenantId, spendableAtto, amountAtto },
  });
  const isSet = alertBelow(5_000n);

  test('is told with what makes it one', () =>
    expect(after(isSet, reserve('a', 5_001n)).events.at(-1)).toEqual(reached(4_999n, 5_000n)));
  test('is not told of just enough', () =>
    expect(after(isSet, reserve('a', 5_000n)).types).toEqual(['FundsReserved']));
  test('is told once', () =>
    expect(after(isSet, reserve('a', 6_000n), reserve('b', 1n)).types).toEqual(['FundsReserved']));
  test('is told again after there was enough', () => {
    const again = [isSet, reserve('a', 6_000n), release('a', 0), reserve('b', 6_000n)];
    expect(after(...again).events.at(-1)).toEqual(reached(4_000n, 5_000n));
  });
  test('is told at once when there is less already', () =>
    expect(after(alertBelow(10_001n)).events.at(-1)).toEqual(reached(10_000n, 10_001n)));
  test('is not told any more when nobody wants to know', () =>
    expect(after(isSet, alertBelow(), reserve('a', 9_000n)).types).toEqual(['FundsReserved']));
  test('repeated changes nothing', () => {
    expect(after(isSet, isSet).types).toEqual([]);
    expect(after(alertBelow()).types).toEqual([]);
  });
  test.each([0n, -1n])('of %p is refused', amountAtto =>
    expect(refusedAfter([], alertBelow(amountAtto))).toMatchObject({ rejection: 'AmountIsNotPositive' }),
  );
  test('of more than can be written is refused', () =>
    expect(refusedAfter([], alertBelow(2n ** 256n))).toMatchObject({ rejection: 'AmountExceedsUint256' }));
});

describe('kept content', () => {
  /** Two GiB-hours at that price. */
  const keep = (pricePerGibHourAtto: bigint, causedAt = noon(1)): AccountCommand => {
    const period = { from: new Date(0), through: causedAt, gibHoursAtto: 2n * 10n ** 18n };
    const terms = { pricePerGibHourAtto, operatorId: 'o', feeBps: 250, burnBps: 0 };
    return { type: 'ChargeStorage', data: { tenantId, ...period, ...terms, causedAt } };
  };

  test('counts under the budget of the tenant, and tells its thresholds', () => {
    const { events } = after(set(), keep(250n));
    expect(standings(events)).toEqual([
      { budgetId: 'b', periodStart: november, spentAtto: 500n, committedAtto: 0n },
    ]);
    expect(told(events)).toEqual([['charged', 50]]);
  });
  test('counts for no project and no key', () => {
    const [project, key] = [set({ project: 'p' }), set({ budgetId: 'c', apiKeyId: 'k' })];
    expect(standings(after(project, key, keep(250n)).events)).toEqual([]);
  });
  test('is charged past a hard stop, because it was kept already, and leaves jobs the less', () => {
    const { events } = after(set(), keep(600n));
    expect(events[0]).toMatchObject({ type: 'StorageCharged' });
    expect(told(events)).toEqual([
      ['charged', 50],
      ['charged', 100],
      ['committed', 100],
    ]);
    const [declined] = after(set(), keep(400n), reserve('job_1', 201n)).events;
    expect(declined).toMatchObject({
      ...{ type: 'ReservationDeclined', data: { budget: { budgetId: 'b', leftAtto: 200n } } },
    });
  });
  test('counts in the period in which it was metered', () => {
    const { state } = after(set(), keep(250n), keep(10n, noon(1, 12)));
    expect(state.budgets.get('b')).toMatchObject({ spentAtto: 20n });
  });
});
