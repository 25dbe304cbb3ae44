import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, AccountEvent } from '@astro/messages/billing';
import { account } from './account.js';

const given = specify(account);
const tenantId = 'tenant_1';
const available = 'tenant:tenant_1:available';
const reserved = 'tenant:tenant_1:reserved';
const moved = (from: string, to: string, amountAtto: bigint) => [
  { account: from, amountAtto: -amountAtto },
  { account: to, amountAtto },
];

const credit = (amountAtto: bigint, creditId = 'credit_2'): AccountCommand => ({
  type: 'CreditAccount',
  data: { tenantId, creditId, amountAtto },
});
const credited = (amountAtto: bigint, creditId = 'credit_1'): AccountEvent => ({
  type: 'AccountCredited',
  data: { tenantId, creditId, postings: moved('escrow:custody', available, amountAtto) },
});
const reserve = (amountAtto: bigint, leastAtto: bigint): AccountCommand => ({
  type: 'ReserveFunds',
  data: { tenantId, jobId: 'job_1', amountAtto, leastAtto },
});
const fundsReserved = (amountAtto: bigint, jobId = 'job_1', wantedAtto?: bigint): AccountEvent => ({
  type: 'FundsReserved',
  data: {
    tenantId,
    jobId,
    postings: moved(available, reserved, amountAtto),
    ...(wantedAtto !== undefined && { wantedAtto }),
  },
});
const extend = (number: number, amountAtto: bigint, leastAtto: bigint, jobId = 'job_1'): AccountCommand => ({
  type: 'ExtendReservation',
  data: { tenantId, jobId, number, amountAtto, leastAtto },
});
const extended = (number: number, amountAtto: bigint, jobId = 'job_1'): AccountEvent => ({
  type: 'ReservationExtended',
  data: { tenantId, jobId, number, postings: moved(available, reserved, amountAtto) },
});
type Amounts = { readonly wanted: bigint; readonly required: bigint; readonly there: bigint };
const declined = (number: number, { wanted, required, there }: Amounts, jobId = 'job_1'): AccountEvent => ({
  type: 'ExtensionDeclined',
  data: { tenantId, jobId, number, wantedAtto: wanted, requiredAtto: required, availableAtto: there },
});
const release = (expectedCharges = 0, jobId = 'job_1'): AccountCommand => ({
  type: 'ReleaseFunds',
  data: { tenantId, jobId, expectedCharges },
});
const released = (amountAtto: bigint, jobId = 'job_1'): AccountEvent => ({
  type: 'FundsReleased',
  data: { tenantId, jobId, postings: moved(reserved, available, amountAtto) },
});
const closing: AccountEvent = {
  type: 'ReservationClosing',
  data: { tenantId, jobId: 'job_1', expectedCharges: 1 },
};
const funded = [credited(1_000n), fundsReserved(400n)] as const;
/** 600 are left, and 700 at least were asked for. */
const short = [...funded, declined(1, { wanted: 900n, required: 700n, there: 600n })] as const;

describe('a first reservation with a least', () => {
  test('is of the whole amount where there is so much', () =>
    given(credited(1_000n)).when(reserve(800n, 100n)).then(fundsReserved(800n)));
  test('is of what there is where that is enough', () =>
    given(credited(500n))
      .when(reserve(800n, 100n))
      .then(fundsReserved(500n, 'job_1', 800n)));
  test('that was of less is known as the same when it is repeated', () =>
    given(credited(500n), fundsReserved(500n, 'job_1', 800n))
      .when(reserve(800n, 100n))
      .thenNothing());
  test('is declined where there is less than the least', () =>
    given(credited(99n))
      .when(reserve(800n, 100n))
      .then({
        type: 'ReservationDeclined',
        data: { tenantId, jobId: 'job_1', requiredAtto: 100n, availableAtto: 99n },
      }));
  test('of a least below nothing is refused', () =>
    given(credited(99n)).when(reserve(800n, -1n)).thenRejected('AmountIsNegative'));
});

describe('a reservation is extended', () => {
  test('by what was asked for', () =>
    given(...funded)
      .when(extend(1, 600n, 100n))
      .then(extended(1, 600n)));
  test('by what there is where that is enough', () =>
    given(...funded)
      .when(extend(1, 900n, 100n))
      .then(extended(1, 600n)));
  test('once for each number, however often it is asked', () =>
    given(...funded, extended(1, 100n))
      .when(extend(1, 100n, 100n))
      .thenNothing());
  test('again for the next number', () =>
    given(...funded, extended(1, 100n))
      .when(extend(2, 100n, 100n))
      .then(extended(2, 100n)));
  test('so that all of it comes back at the end', () =>
    given(...funded, extended(1, 100n))
      .when(release())
      .then(released(500n)));
});

describe('an extension is declined', () => {
  test('where there is less than the least', () =>
    given(...funded)
      .when(extend(1, 900n, 700n))
      .then(declined(1, { wanted: 900n, required: 700n, there: 600n })));
  test('once, and then waits', () =>
    given(...short)
      .when(extend(1, 900n, 700n))
      .thenNothing());
});

describe('an extension is refused', () => {
  test('of a job that has no reservation', () =>
    given(credited(1_000n))
      .when(extend(1, 100n, 100n))
      .thenRejected('ReservationNotFound'));
  test('of nothing', () =>
    given(...funded)
      .when(extend(1, 100n, 0n))
      .thenRejected('AmountIsNotPositive'));
  test('of less than its least', () =>
    given(...funded)
      .when(extend(1, 99n, 100n))
      .thenRejected('AmountIsBelowLeast'));
});

describe('there is nothing to extend', () => {
  test('once the job has ended', () =>
    given(...funded, released(400n))
      .when(extend(1, 100n, 100n))
      .thenNothing());
  test('while the reservation only waits for charges', () =>
    given(...funded, closing)
      .when(extend(1, 100n, 100n))
      .thenNothing());
});

describe('what was declined is made with the money that comes', () => {
  test('by a credit', () =>
    given(...short)
      .when(credit(200n))
      .then(credited(200n, 'credit_2'), extended(1, 800n)));
  test('by the end of another job', () =>
    given(
      credited(1_000n),
      fundsReserved(300n),
      fundsReserved(700n, 'job_2'),
      declined(1, { wanted: 500n, required: 500n, there: 0n }),
    )
      .when(release(0, 'job_2'))
      .then(released(700n, 'job_2'), extended(1, 500n)));
  test('by transfers that are received', () =>
    given(...short)
      .when({
        type: 'ReceiveTransfers',
        data: { tenantId, transfers: [{ position: 9, transferId: 'transfer_1', amountAtto: 100n }] },
      })
      .then(
        {
          type: 'TransfersReceived',
          data: {
            tenantId,
            throughPosition: 9,
            transfers: 1,
            postings: moved('tenant:tenant_1:incoming', available, 100n),
          },
        },
        extended(1, 700n),
      ));
  test('and not by too little', () =>
    given(...short)
      .when(credit(99n))
      .then(credited(99n, 'credit_2')));
  test('for the one that has waited longest first, for others as far as it goes', () =>
    given(
      credited(300n),
      fundsReserved(100n),
      fundsReserved(100n, 'job_2'),
      fundsReserved(100n, 'job_3'),
      declined(1, { wanted: 300n, required: 300n, there: 0n }, 'job_2'),
      declined(1, { wanted: 500n, required: 500n, there: 0n }),
      declined(1, { wanted: 100n, required: 50n, there: 0n }, 'job_3'),
    )
      .when(credit(360n))
      .then(credited(360n, 'credit_2'), extended(1, 300n, 'job_2'), extended(1, 60n, 'job_3')));
  test('once', () =>
    given(...short, credited(200n, 'credit_2'), extended(1, 800n))
      .when(credit(5n, 'credit_3'))
      .then(credited(5n, 'credit_3')));
  test('not for a job that has ended meanwhile', () => {
    given(...short, closing)
      .when(credit(200n))
      .then(credited(200n, 'credit_2'));
    given(...short)
      .when(release())
      .then(released(400n));
  });
  test('what the chain is owed comes first', () =>
    given(...short, {
      type: 'ExitFollowed',
      data: {
        tenantId,
        factId: 'fact_1',
        address: '0xa',
        endsExit: true,
        transactionHash: '0xt',
        causePosition: 1,
        postings: [
          { account: available, amountAtto: -600n },
          { account: 'tenant:tenant_1:owed', amountAtto: -150n },
          { account: 'escrow:custody', amountAtto: 750n },
        ],
      },
    })
      .when(credit(849n))
      .then(credited(849n, 'credit_2')));
});

test('one decision extends no more than fit into a batch, and the next one goes on', () => {
  const jobIds = Array.from({ length: 100 }, (_, index) => `job_${index}`);
  const history: AccountEvent[] = [
    credited(100n),
    ...jobIds.map(jobId => fundsReserved(1n, jobId)),
    ...jobIds.map(jobId => declined(1, { wanted: 1n, required: 1n, there: 0n }, jobId)),
  ];
  let state = history.reduce(account.evolve, account.initialState);
  const extensionsBy = (command: AccountCommand) => {
    const decision = account.decide(command, state);
    const events = decision.accepted ? decision.events : [];
    state = events.reduce(account.evolve, state);
    return events.filter(({ type }) => type === 'ReservationExtended').length;
  };
  expect(extensionsBy(credit(1_000n))).toBe(64);
  expect(extensionsBy(credit(1n, 'credit_3'))).toBe(36);
});

describe('an extension under a budget with a hard stop', () => {
  const budgeted = (amountAtto: bigint): AccountEvent => ({
    type: 'BudgetSet',
    data: {
      tenantId,
      budget: { budgetId: 'b', amountAtto, period: 'none', atLimit: 'hard_stop', thresholds: [] },
      standing: { budgetId: 'b', periodStart: new Date(0), spentAtto: 0n, committedAtto: 400n },
    },
  });
  const setTo = (amountAtto: bigint): AccountCommand => ({
    type: 'SetBudget',
    data: {
      tenantId,
      budget: { budgetId: 'b', amountAtto, period: 'none', atLimit: 'hard_stop', thresholds: [] },
    },
  });
  const eventsOf = (past: readonly AccountEvent[], command: AccountCommand) => {
    const state = past.reduce(account.evolve, account.initialState);
    const decision = account.decide(command, state);
    return decision.accepted ? decision.events : [];
  };
  const refused = [...funded, budgeted(450n)] as const;

  test('takes what the budget leaves, where that is enough, and counts under it', () =>
    expect(eventsOf(refused, extend(1, 300n, 50n))).toMatchObject([
      {
        type: 'ReservationExtended',
        data: {
          postings: moved(available, reserved, 50n),
          budgets: { standings: [{ committedAtto: 450n }] },
        },
      },
    ]));

  test('is declined where the budget leaves too little, and names it', () =>
    expect(eventsOf(refused, extend(1, 300n, 60n))[0]).toMatchObject({
      type: 'ExtensionDeclined',
      data: { reason: 'budget', budget: { budgetId: 'b', leftAtto: 50n }, availableAtto: 600n },
    }));

  test('is made as soon as the budget is raised', () => {
    const waiting = [...refused, ...eventsOf(refused, extend(1, 300n, 60n))];
    expect(eventsOf(waiting, credit(5n)).map(({ type }) => type)).toEqual(['AccountCredited']);
    expect(eventsOf(waiting, setTo(1_000n))).toMatchObject([
      { type: 'BudgetSet' },
      { type: 'ReservationExtended', data: { postings: moved(available, reserved, 300n) } },
    ]);
  });

  test('is made as soon as the budget is removed, which counts it no more', () => {
    const waiting = [...refused, ...eventsOf(refused, extend(1, 300n, 60n))];
    const events = eventsOf(waiting, { type: 'RemoveBudget', data: { tenantId, budgetId: 'b' } });
    expect(events.map(({ type }) => type)).toEqual(['BudgetRemoved', 'ReservationExtended']);
    const state = [...waiting, ...events].reduce(account.evolve, account.initialState);
    expect([state.budgets.size, state.open.get('job_1')?.leftAtto]).toEqual([0, 700n]);
  });

  test('is made as soon as another job gives back what it held of the budget', () => {
    const other = fundsReserved(40n, 'job_2');
    const both = [credited(1_000n), fundsReserved(400n), other, budgeted(450n)] as const;
    const waiting = [...both, ...eventsOf(both, extend(1, 300n, 60n))];
    const events = eventsOf(waiting, release(0, 'job_2'));
    expect(events.map(({ type }) => type)).toContain('ReservationExtended');
  });
});
