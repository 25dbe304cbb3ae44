import { equal, ok } from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import { comesBack, shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type { AccountCommand, AccountEvent, Posting } from '@astro/messages/billing';
import { escrowCustody, postingsIn, tenantAccount } from '@astro/messages/ledger-accounts';
import fc from 'fast-check';
import { account } from './account.js';
import { limitOfBudgets } from './budgets.js';
import { smaller } from './reservations.js';
import { spendableAtto, type Account } from './state.js';

const tenantId = 't';
const incoming = tenantAccount(tenantId, 'incoming');
const owed = tenantAccount(tenantId, 'owed');
const withdrawing = tenantAccount(tenantId, 'withdrawing');
const RUNS = 1_000;

const jobs = fc.constantFrom('job_1', 'job_2', 'job_3');
const tasks = fc.constantFrom('task_1', 'task_2', 'task_3');
/** Mostly what makes sense, at times what is to be refused; small figures, because rounding shows in them. */
const usually = <T>(sensible: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: sensible, weight: 9 }, { arbitrary: wrong, weight: 1 });

/** Of what several must be right together. */
const rarely = <T>(sensible: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: sensible, weight: 99 }, { arbitrary: wrong, weight: 1 });

const amounts = usually(fc.bigInt(0n, 2_000n), fc.bigInt(-3n, 10n ** 24n));
const results = fc
  .record({
    leaseId: fc.constantFrom('lease_1', 'lease_2', 'lease_3', 'lease_4'),
    nodeId: fc.constant('n'),
    operatorId: fc.constantFrom('o1', 'o2', 'o3'),
    fault: fc.constant('none' as const),
    digest: fc.constant('d'),
    outputs: fc.constant([]),
    meteredMs: usually(fc.nat(3_000), fc.nat(10_000_000)),
    pricePerSecondAtto: usually(fc.bigInt(0n, 400n), fc.bigInt(-1n, 10n ** 18n)),
    pricePerGibTransferredAtto: rarely(fc.bigInt(0n, 400n), fc.constant(-1n)),
    transferred: fc.option(
      rarely(
        fc.record({ fetchedBytes: fc.nat(2 ** 30), uploadedBytes: fc.nat(2 ** 28) }),
        fc.constantFrom(
          { fetchedBytes: -1, uploadedBytes: 0 },
          { fetchedBytes: 0, uploadedBytes: NaN },
          { fetchedBytes: 2 ** 60, uploadedBytes: 0 },
        ),
      ),
      { nil: undefined },
    ),
  })
  .map(({ transferred, ...result }) => ({ ...result, ...(transferred && { transferred }) }));
const works = usually(
  fc.uniqueArray(results, { selector: result => result.leaseId, minLength: 1, maxLength: 4 }),
  fc.array(results, { maxLength: 4 }),
);
const fees = usually(
  fc.record(
    {
      feeBps: fc.integer({ min: 100, max: 500 }),
      burnBps: fc.integer({ min: 0, max: 6_000 }),
      validatorBps: fc.integer({ min: 0, max: 4_000 }),
    },
    { requiredKeys: ['feeBps', 'burnBps'] },
  ),
  fc.record({
    feeBps: fc.constantFrom(99, 250, 501),
    burnBps: fc.constantFrom(-1, 0, 10_000, 10_001),
    validatorBps: fc.constantFrom(-1, 1, 10_001),
  }),
);

const credits = fc
  .tuple(fc.constantFrom('credit_1', 'credit_2'), amounts)
  .map(([creditId, amountAtto]): AccountCommand => {
    return { type: 'CreditAccount', data: { tenantId, creditId, amountAtto } };
  });
const scopes = fc.constantFrom({}, { project: 'p' }, { apiKeyId: 'k' }, { project: 'p', apiKeyId: 'k' });
const moments = fc.integer({ min: 0, max: 3 }).map(day => ({ causedAt: new Date(day * 86_400_000) }));
const reservations = fc
  .tuple(jobs, amounts, usually(fc.constant(undefined), amounts), scopes, moments)
  .map(([jobId, amountAtto, leastAtto, scope, at]): AccountCommand => {
    const least = leastAtto === undefined ? {} : { leastAtto };
    return { type: 'ReserveFunds', data: { tenantId, jobId, amountAtto, ...least, ...scope, ...at } };
  });
const extensions = fc
  .tuple(jobs, fc.integer({ min: 1, max: 4 }), amounts, amounts, moments)
  .map(([jobId, number, leastAtto, more, at]): AccountCommand => {
    const data = { tenantId, jobId, number, leastAtto, amountAtto: leastAtto + more, ...at };
    return { type: 'ExtendReservation', data };
  });
const charges = fc
  .tuple(jobs, tasks, works, fees, moments)
  .map(([jobId, taskId, work, fee, at]): AccountCommand => {
    return { type: 'ChargeTask', data: { tenantId, jobId, taskId, work, ...fee, ...at } };
  });
const periods = fc
  .tuple(jobs, fc.integer({ min: 1, max: 4 }), results, fees)
  .map(([jobId, chargeNumber, work, fee]): AccountCommand => ({
    type: 'ChargePeriod',
    data: { tenantId, jobId, taskId: 'task_1', chargeNumber, work, ...fee },
  }));
const releases = fc.tuple(jobs, fc.nat(3)).map(([jobId, expectedCharges]): AccountCommand => {
  return { type: 'ReleaseFunds', data: { tenantId, jobId, expectedCharges } };
});
const writeOffs = fc.tuple(jobs, tasks).map(([jobId, taskId]): AccountCommand => {
  return { type: 'WriteOffCharge', data: { tenantId, jobId, taskId, reason: 'it is a defect' } };
});
const transfers = fc
  .tuple(fc.constantFrom('transfer_1', 'transfer_2'), amounts, fc.constantFrom('u', 'v', tenantId))
  .map(([transferId, amountAtto, toTenantId]): AccountCommand => {
    const requestedAt = new Date(1);
    const currency = 'ASTRO';
    return {
      type: 'TransferFunds',
      data: { tenantId, transferId, amountAtto, toTenantId, currency, requestedAt },
    };
  });
const receipts = fc
  .uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 3 })
  .map((positions): AccountCommand => {
    const transfers = positions.map(position => ({
      position,
      transferId: 't',
      amountAtto: BigInt(position),
    }));
    return { type: 'ReceiveTransfers', data: { tenantId, transfers } };
  });
const repayIds = fc.constantFrom('a', 'b', 'c').map(letter => `repay_${letter.repeat(26)}`);
const addresses = fc.constantFrom('a', 'b').map(digit => `0x${digit.repeat(40)}`);
const factIds = fc.integer({ min: 1, max: 20 }).map(number => `fact_${number}`);
/** Few, so that what the chain pays is at times what was asked for. */
const payments = fc.constantFrom(100n, 200n);
const withdrawals = fc.oneof(
  fc
    .tuple(repayIds, addresses, usually(payments, amounts))
    .map(([withdrawalId, address, amountAtto]): AccountCommand => {
      const requestedAt = new Date(1);
      return { type: 'WithdrawFunds', data: { tenantId, withdrawalId, address, amountAtto, requestedAt } };
    }),
  repayIds.map((withdrawalId): AccountCommand => {
    return { type: 'ReturnWithdrawal', data: { tenantId, withdrawalId, reason: 'refused' } };
  }),
  fc.tuple(factIds, addresses, fc.bigInt(0n, 2_000n)).map(([factId, address, amountAtto]): AccountCommand => {
    return { type: 'LockForExit', data: { tenantId, factId, address, amountAtto, causePosition: 1 } };
  }),
  fc
    .tuple(
      factIds,
      addresses,
      usually(payments, fc.bigInt(1n, 2_000n)),
      fc.option(repayIds, { nil: undefined }),
    )
    .map(([factId, address, amountAtto, withdrawalId]): AccountCommand => {
      const paid = { tenantId, factId, address, amountAtto, transactionHash: '0xt', causePosition: 1 };
      const by = withdrawalId === undefined ? { endsExit: true } : { endsExit: false, withdrawalId };
      return { type: 'FollowPayment', data: { ...paid, ...by } };
    }),
);
const budgets = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('b1', 'b2'),
      fc.constantFrom({}, { project: 'p' }, { apiKeyId: 'k' }),
      usually(fc.bigInt(1n, 6_000n), amounts),
      fc.constantFrom('day' as const, 'none' as const),
      fc.constantFrom('notice' as const, 'hard_stop' as const),
    )
    .map(([budgetId, scope, amountAtto, period, atLimit]): AccountCommand => {
      const budget = { budgetId, ...scope, amountAtto, period, atLimit, thresholds: [10, 80, 100] };
      return { type: 'SetBudget', data: { tenantId, budget } };
    }),
  fc.constantFrom('b1', 'b2').map((budgetId): AccountCommand => {
    return { type: 'RemoveBudget', data: { tenantId, budgetId } };
  }),
  fc.option(amounts, { nil: undefined }).map((amountAtto): AccountCommand => {
    const amount = amountAtto === undefined ? {} : { amountAtto };
    return { type: 'SetLowBalanceAlert', data: { tenantId, ...amount } };
  }),
);
const storages = fc
  .tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.bigInt(-1n, 10n ** 19n),
    usually(fc.bigInt(0n, 90n), fc.bigInt(-1n, 10n ** 18n)),
    fees,
  )
  .map(([hour, gibHoursAtto, pricePerGibHourAtto, fee]): AccountCommand => {
    const through = new Date(hour * 3_600_000);
    const data = {
      tenantId,
      from: new Date(0),
      through,
      gibHoursAtto,
      pricePerGibHourAtto,
      operatorId: 'o1',
    };
    return { type: 'ChargeStorage', data: { ...data, ...fee } };
  });
const commands = fc.oneof(
  { arbitrary: credits, weight: 1 },
  { arbitrary: reservations, weight: 2 },
  { arbitrary: extensions, weight: 2 },
  { arbitrary: charges, weight: 5 },
  { arbitrary: periods, weight: 2 },
  { arbitrary: releases, weight: 2 },
  { arbitrary: writeOffs, weight: 1 },
  { arbitrary: transfers, weight: 1 },
  { arbitrary: receipts, weight: 1 },
  { arbitrary: withdrawals, weight: 4 },
  { arbitrary: storages, weight: 1 },
);

/**
 * Commands in any order, begun with a credit so that many take effect, and with budgets at times, and each repeated
 * with some chance.
 */
const histories = fc
  .tuple(
    usually(fc.bigInt(1n, 6_000n), fc.bigInt(1n, 10n ** 25n)),
    fc.array(budgets, { maxLength: 3 }),
    fc.array(fc.tuple(commands, fc.boolean()), { minLength: 1, maxLength: 50, size: 'max' }),
  )
  .map(([amountAtto, settings, rest]): AccountCommand[] => [
    { type: 'CreditAccount', data: { tenantId, creditId: 'credit_0', amountAtto } },
    ...settings,
    ...rest.flatMap(([command, isRepeated]) => (isRepeated ? [command, command] : [command])),
  ]);

const { encode, decode } = account.snapshot!;

type Step = { readonly state: Account; readonly events: readonly AccountEvent[] };

function run(history: readonly AccountCommand[]): Step[] {
  let state = account.initialState;
  return history.map(command => {
    const decision = account.decide(command, state);
    const events = decision.accepted ? decision.events : [];
    state = events.reduce(account.evolve, state);
    // The state goes on changing in place.
    return { state: decode(encode(state)), events };
  });
}

const sum = (postings: readonly Posting[]) =>
  postings.reduce((total, posting) => total + posting.amountAtto, 0n);
const balance = (postings: readonly Posting[], accounts: RegExp) =>
  sum(postings.filter(posting => accounts.test(posting.account)));

const holds = (check: (steps: readonly Step[]) => void) =>
  fc.assert(
    fc.property(histories, history => check(run(history))),
    { numRuns: RUNS },
  );

test('the postings of every event, and of all events, sum to zero', () =>
  holds(steps => {
    for (const event of steps.flatMap(({ events }) => events)) equal(sum(postingsIn(event)), 0n);
  }));

test('no balance that can be spent is ever negative', () =>
  holds(steps => {
    for (const { state } of steps) {
      ok(state.availableAtto >= 0n);
      for (const { leftAtto } of state.open.values()) ok(leftAtto >= 0n);
    }
  }));

test('no event takes more out of a balance than was in it, one by one', () =>
  holds(steps => {
    const balances = new Map<string, bigint>();
    for (const { account, amountAtto } of steps.flatMap(({ events }) => events).flatMap(postingsIn)) {
      const after = (balances.get(account) ?? 0n) + amountAtto;
      balances.set(account, after);
      // Custody gives all money; what comes from other accounts is theirs; what is owed is below zero.
      if (![escrowCustody, incoming, owed].includes(account)) ok(after >= 0n);
    }
  }));

test('what is reserved and what leaves is the sum of its parts, the available balance is the ledger’s', () =>
  holds(steps => {
    const ledger: Posting[] = [];
    for (const { state, events } of steps) {
      ledger.push(...events.flatMap(postingsIn));
      const open = [...state.open.values()].reduce((total, { leftAtto }) => total + leftAtto, 0n);
      equal(balance(ledger, /:reserved$/), open);
      equal(state.reservedAtto, open);
      equal(balance(ledger, /^tenant:t:available$/), state.availableAtto);
      equal(balance(ledger, /^tenant:t:owed$/), -state.owedAtto);
      const leaving = [...state.leaving.values()].reduce((total, { amountAtto }) => total + amountAtto, 0n);
      const locked = [...state.exits.values()].reduce((total, amountAtto) => total + amountAtto, 0n);
      const held = sum(ledger.filter(({ account }) => account === withdrawing));
      equal(held, leaving + locked);
    }
  }));

test('operators, treasury, validators and what is burned have exactly what was charged, by the fee schedule', () =>
  holds(steps => {
    for (const event of steps.flatMap(({ events }) => events)) {
      if (event.type !== 'TaskCharged' && event.type !== 'StorageCharged') continue;
      const { postings, feeBps, burnBps, validatorBps = 0 } = event.data;
      ok(burnBps + validatorBps <= 10_000);
      const gross = -balance(postings, /^tenant:/);
      const fee = (gross * BigInt(feeBps)) / 10_000n;
      const burned = (fee * BigInt(burnBps)) / 10_000n;
      equal(balance(postings, /^operator:/), gross - fee);
      equal(balance(postings, /^platform:burned$/), burned);
      const validators = (fee * BigInt(validatorBps)) / 10_000n;
      equal(balance(postings, /^platform:validators$/), validators);
      equal(balance(postings, /^platform:fees$/), fee - burned - validators);
    }
  }));

test('what a charge is made of sums to what the tenant paid, each part by its price and amount', () =>
  holds(steps => {
    for (const { type, data } of steps.flatMap(({ events }) => events)) {
      if (type !== 'TaskCharged') continue;
      let gross = 0n;
      for (const { grossAtto, transferAtto = 0n, ...used } of data.work) {
        const timesMs = BigInt(used.meteredMs) * used.pricePerSecondAtto;
        const timesBytes = BigInt(used.transferredBytes ?? 0) * (used.pricePerGibTransferredAtto ?? 0n);
        const timeAtto = grossAtto - transferAtto;
        ok(timeAtto * 1_000n >= timesMs && (timeAtto - 1n) * 1_000n < timesMs);
        ok(transferAtto << 30n >= timesBytes && (transferAtto - 1n) << 30n < timesBytes);
        gross += grossAtto;
      }
      equal(gross, -balance(data.postings, /:reserved$/));
    }
  }));

test('what is kept in any periods is paid or due, each period once', () =>
  holds(steps => {
    let due = 0n;
    let through = 0;
    for (const { type, data } of steps.flatMap(({ events }) => events)) {
      if (type !== 'StorageCharged' && type !== 'StorageUnpaid') continue;
      ok(data.through.getTime() > through);
      through = data.through.getTime();
      const product = data.gibHoursAtto * data.pricePerGibHourAtto;
      const asked = due + (product + 10n ** 18n - 1n) / 10n ** 18n;
      if (type === 'StorageCharged') equal(-balance(data.postings, /^tenant:/), asked);
      due = type === 'StorageCharged' ? 0n : data.dueAtto;
      if (type === 'StorageUnpaid') ok(due === asked && due > data.availableAtto);
    }
  }));

test('a credit, a transfer, a task and a release of a job each happen at most once', () =>
  holds(steps => {
    const seen = new Set<string>();
    for (const { type, data } of steps.flatMap(({ events }) => events)) {
      const done = type === 'ReservationClosing' ? undefined : whatIsDone(data);
      if (done === undefined) continue;
      const key = JSON.stringify([
        type,
        done,
        'taskId' in data ? data.taskId : '',
        'chargeNumber' in data ? data.chargeNumber : '',
        'number' in data ? data.number : '',
      ]);
      ok(!seen.has(key), `${key} happened twice`);
      seen.add(key);
    }
  }));

/** What an event says was done, which happens once; undefined of what may happen again. */
function whatIsDone(data: AccountEvent['data']): string | undefined {
  if ('creditId' in data) return data.creditId;
  if ('transferId' in data) return data.transferId;
  if ('factId' in data) return data.factId;
  if ('withdrawalId' in data) return data.withdrawalId;
  if ('through' in data) return data.through.toISOString();
  return 'jobId' in data ? data.jobId : undefined;
}

test('what waits for money is an open reservation that is not closing, and nothing else waits', () =>
  holds(steps => {
    for (const { state } of steps)
      for (const [jobId, { waitsFor, expectedCharges }] of state.open) {
        equal(state.waiting.has(jobId), waitsFor !== undefined && expectedCharges === undefined);
      }
    for (const { state } of steps) for (const jobId of state.waiting) ok(state.open.has(jobId));
  }));

test('nobody waits for money that is there and within its budgets, after a decision of any effect', () =>
  holds(steps => {
    for (const { state, events } of steps) {
      const decidedOn = new Set(events.map(({ data }) => ('jobId' in data ? data.jobId : '')));
      if (events.length === 0) continue;
      for (const jobId of state.waiting) {
        if (decidedOn.has(jobId)) continue;
        const { waitsFor, scope } = state.open.get(jobId)!;
        const limit = limitOfBudgets(state.budgets, scope, undefined);
        ok(waitsFor!.leastAtto > smaller(spendableAtto(state), limit?.leftAtto));
      }
    }
  }));

test('histories do reach charges, declined reservations and releases', () => {
  const types = fc
    .sample(histories, { numRuns: RUNS, seed: 7 })
    .flatMap(run)
    .flatMap(({ events }) => events.map(event => event.type));
  const count = (type: AccountEvent['type']) => types.filter(other => other === type).length;
  expect(
    Math.min(count('TaskCharged'), count('ReservationDeclined'), count('FundsReleased')),
  ).toBeGreaterThan(100);
  expect(Math.min(count('ReservationExtended'), count('ExtensionDeclined'))).toBeGreaterThan(50);
  const ends = [count('WithdrawalReturned'), count('ExitFollowed'), count('ExitLocked')];
  expect(Math.min(count('WithdrawalPaid'), ...ends)).toBeGreaterThan(20);
  expect(Math.min(count('StorageCharged'), count('StorageUnpaid'))).toBeGreaterThan(100);
});

test('a state comes back from its snapshot as it was', () =>
  holds(steps => {
    for (const { state } of steps) comesBack(account.snapshot!, state);
  }));

test('a state of another shape has another version of its snapshot', () => {
  const states = fc
    .sample(histories, { numRuns: RUNS, seed: 7 })
    .flatMap(run)
    .map(({ state }) => state);
  expect(`${account.snapshot!.version} ${shapeDigestOf(states)}`).toBe('5 920425f05fe35ce6');
});
