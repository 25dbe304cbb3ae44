import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, AccountEvent, ChargedWork, ChargeTask } from '@astro/messages/billing';
import type { Result } from '@astro/messages/scheduling';
import { account, accountOn } from './account.js';

const given = specify(account);
const tenantId = 'tenant_1';
const jobId = 'job_1';
const available = 'tenant:tenant_1:available';
const reserved = 'tenant:tenant_1:reserved';

const credit = (amountAtto: bigint, creditId = 'credit_1'): AccountCommand => ({
  type: 'CreditAccount',
  data: { tenantId, creditId, amountAtto },
});
const credited = (amountAtto: bigint, creditId = 'credit_1'): AccountEvent => ({
  type: 'AccountCredited',
  data: {
    tenantId,
    creditId,
    postings: [
      { account: 'escrow:custody', amountAtto: -amountAtto },
      { account: available, amountAtto },
    ],
  },
});
const reserve = (amountAtto: bigint): AccountCommand => ({
  type: 'ReserveFunds',
  data: { tenantId, jobId, amountAtto },
});
const fundsReserved = (amountAtto: bigint): AccountEvent => ({
  type: 'FundsReserved',
  data: {
    tenantId,
    jobId,
    postings: [
      { account: available, amountAtto: -amountAtto },
      { account: reserved, amountAtto },
    ],
  },
});
const declined: AccountEvent = {
  type: 'ReservationDeclined',
  data: { tenantId, jobId, requiredAtto: 2_000n, availableAtto: 1_000n },
};
const resultOf = (operator: string, meteredMs: number, pricePerSecondAtto: bigint): Result => ({
  leaseId: `lease_${operator}`,
  nodeId: `node_${operator}`,
  operatorId: operator,
  fault: 'none',
  digest: 'd',
  outputs: [],
  meteredMs,
  pricePerSecondAtto,
});
const workOf = (
  operator: string,
  of: Omit<ChargedWork, 'leaseId' | 'nodeId' | 'operatorId'>,
): ChargedWork => ({
  ...{ leaseId: `lease_${operator}`, nodeId: `node_${operator}`, operatorId: operator },
  ...of,
});
/** 1,234 ms at 100 a second are 123.4, so 124 base units; 500 ms at 151 are 75.5, so 76: 200 together. */
const work = [resultOf('a', 1_234, 100n), resultOf('b', 500, 151n)];
const charge = (changes: Partial<ChargeTask> = {}): AccountCommand => ({
  type: 'ChargeTask',
  data: { tenantId, jobId, taskId: 'task_1', work, feeBps: 250, burnBps: 2_000, ...changes },
});
/** The fee of 200 is 5, of which 1 is burned; of it `a` bears 3 (2.5 % of 124) and `b` the other 2. */
const charged = (taskId = 'task_1'): AccountEvent => ({
  type: 'TaskCharged',
  data: {
    tenantId,
    jobId,
    taskId,
    feeBps: 250,
    burnBps: 2_000,
    meteredMs: 1_734,
    postings: [
      { account: reserved, amountAtto: -200n },
      { account: 'operator:a:earned', amountAtto: 121n },
      { account: 'operator:b:earned', amountAtto: 74n },
      { account: 'platform:fees', amountAtto: 4n },
      { account: 'platform:burned', amountAtto: 1n },
    ],
    work: [
      workOf('a', { meteredMs: 1_234, pricePerSecondAtto: 100n, grossAtto: 124n, feeAtto: 3n }),
      workOf('b', { meteredMs: 500, pricePerSecondAtto: 151n, grossAtto: 76n, feeAtto: 2n }),
    ],
  },
});
const withValidators = (validatorBps: number, shares: Readonly<Record<string, bigint>>): AccountEvent => {
  const { data } = charged() as Extract<AccountEvent, { type: 'TaskCharged' }>;
  const ours = data.postings.filter(({ account }) => !account.startsWith('platform:'));
  const platforms = Object.entries(shares).map(([kind, amountAtto]) => ({
    ...{ account: `platform:${kind}`, amountAtto },
  }));
  return { type: 'TaskCharged', data: { ...data, validatorBps, postings: [...ours, ...platforms] } };
};
const refused = (rejection: string, detail: string, taskId = 'task_1'): AccountEvent => ({
  type: 'ChargeRefused',
  data: { tenantId, jobId, taskId, rejection, detail },
});
const release = (expectedCharges: number): AccountCommand => ({
  type: 'ReleaseFunds',
  data: { tenantId, jobId, expectedCharges },
});
const closing = (expectedCharges: number): AccountEvent => ({
  type: 'ReservationClosing',
  data: { tenantId, jobId, expectedCharges },
});
const released = (amountAtto: bigint): AccountEvent => ({
  type: 'FundsReleased',
  data: {
    tenantId,
    jobId,
    postings:
      amountAtto === 0n
        ? []
        : [
            { account: reserved, amountAtto: -amountAtto },
            { account: available, amountAtto },
          ],
  },
});
const funded = [credited(1_000n), fundsReserved(600n)] as const;

describe('credit', () => {
  test('makes money available', () =>
    given()
      .when(credit(1_000n))
      .thenState(({ availableAtto }) => expect(availableAtto).toBe(1_000n)));
  test('is recorded with both sides', () => given().when(credit(1_000n)).then(credited(1_000n)));
  test('repeated changes nothing', () => given(credited(1_000n)).when(credit(1_000n)).thenNothing());
  test('of another amount under the same id is refused', () =>
    given(credited(1_000n)).when(credit(2_000n)).thenRejected('CreditExists'));
  test('of nothing is refused', () => given().when(credit(0n)).thenRejected('AmountIsNotPositive'));
  test('of less than nothing is refused', () =>
    given().when(credit(-1n)).thenRejected('AmountIsNotPositive'));
  test('of more than all the tokens there can be is refused', () =>
    given(credited(10n ** 28n))
      .when(credit(1n, 'credit_2'))
      .thenRejected('AmountExceedsSupply'));
  test('on the account of another tenant is refused', () =>
    given(credited(1_000n))
      .when({ type: 'CreditAccount', data: { tenantId: 'tenant_2', creditId: 'credit_2', amountAtto: 1n } })
      .thenRejected('AccountIsOfAnotherTenant'));
});

describe('a credit where money lies on a chain', () => {
  const onChain = specify(accountOn(31_337));
  const deposit = `31337:0x${'ab'.repeat(32)}:7`;
  test('follows from a deposit there', () =>
    onChain().when(credit(1_000n, deposit)).then(credited(1_000n, deposit)));
  test.each(['credit_1', deposit.replace('31337', '1'), deposit.replace(':7', '')])(
    'is refused when it names none: %s',
    creditId => onChain().when(credit(1_000n, creditId)).thenRejected('CreditIsNotOnChain'),
  );
  test('that was made before there was one may be repeated', () =>
    onChain(credited(1_000n)).when(credit(1_000n)).thenNothing());
});

describe('a reservation', () => {
  test('sets money aside', () => given(credited(1_000n)).when(reserve(600n)).then(fundsReserved(600n)));
  test('may take all there is', () =>
    given(credited(1_000n)).when(reserve(1_000n)).then(fundsReserved(1_000n)));
  test('repeated changes nothing', () =>
    given(...funded)
      .when(reserve(600n))
      .thenNothing());
  test('of another amount for the same job is refused', () =>
    given(...funded)
      .when(reserve(601n))
      .thenRejected('ReservationExists'));
  test('of more than is available is declined', () =>
    given(credited(1_000n)).when(reserve(2_000n)).then(declined));
  test('that was declined stays so after a credit', () =>
    given(credited(1_000n), declined, credited(9_000n, 'credit_2')).when(reserve(2_000n)).thenNothing());
  test('of less than nothing is refused', () =>
    given(credited(1_000n)).when(reserve(-1n)).thenRejected('AmountIsNegative'));
  test('of nothing moves nothing', () =>
    given()
      .when(reserve(0n))
      .then({ type: 'FundsReserved', data: { tenantId, jobId, postings: [] } }));
  test('that its job has outrun holds no money', () =>
    given(credited(1_000n), closing(0)).when(reserve(600n)).thenNothing());
});

describe('a charge', () => {
  test('pays the operators of the agreeing results, the platform and the fire', () =>
    given(...funded)
      .when(charge())
      .then(charged()));
  test('repeated changes nothing', () =>
    given(...funded, charged())
      .when(charge())
      .thenNothing());
  test('repeated after the release changes nothing', () =>
    given(...funded, charged(), released(400n))
      .when(charge())
      .thenNothing());
  test('of another task after the release is refused', () =>
    given(...funded, charged(), released(400n))
      .when(charge({ taskId: 'task_2' }))
      .thenRejected('ReservationIsReleased'));
  test('without a reservation is refused', () =>
    given(credited(1_000n)).when(charge()).thenRejected('ReservationNotFound'));
  test('may take all that is left', () =>
    given(credited(1_000n), fundsReserved(200n)).when(charge()).then(charged()));
  test('of more than is left is refused', () =>
    given(credited(1_000n), fundsReserved(399n), charged())
      .when(charge({ taskId: 'task_2' }))
      .then(refused('ChargeExceedsReservation', `200 of 199 left for job ${jobId}`, 'task_2')));
  // The fee of 200 is 5: half of it is 2 and a half for validators, and they have 2; the treasury has what is left.
  test('gives validators their part of the fee, rounded down, and the treasury the rest', () =>
    given(...funded)
      .when(charge({ validatorBps: 5_000 }))
      .then(withValidators(5_000, { fees: 2n, burned: 1n, validators: 2n })));
  test('may leave the treasury nothing', () =>
    given(...funded)
      .when(charge({ validatorBps: 8_000 }))
      .then(withValidators(8_000, { burned: 1n, validators: 4n })));
  test.each([-1, 8_001, 0.5])('that gives validators %p bps beside what is burned is refused', validatorBps =>
    given(...funded)
      .when(charge({ validatorBps }))
      .then(
        refused(
          'FeeIsOutOfBounds',
          'feeBps: 250 of 100..500, burnBps: 2000 of 0..10000, ' +
            `validatorBps: ${validatorBps} of 0 to what burnBps leaves`,
        ),
      ),
  );
  test.each([99, 501, 250.5])('with a fee of %p bps is refused', feeBps =>
    given(...funded)
      .when(charge({ feeBps }))
      .then(refused('FeeIsOutOfBounds', `feeBps: ${feeBps} of 100..500, burnBps: 2000 of 0..10000`)),
  );
  test.each([-1, 10_001])('that burns %p bps of its fee is refused', burnBps =>
    given(...funded)
      .when(charge({ burnBps }))
      .then(refused('FeeIsOutOfBounds', `feeBps: 250 of 100..500, burnBps: ${burnBps} of 0..10000`)),
  );
  test.each<[string, readonly Result[], string]>([
    ['no work', [], 'work: holds no result'],
    ['the same lease twice', [work[0]!, work[0]!], 'work: holds a lease twice'],
    ['a negative price', [resultOf('a', 1_000, -5n)], 'work: the price of lease lease_a is negative'],
    [
      'more time than can be recorded',
      [resultOf('a', 4_294_967_295, 0n), resultOf('b', 1, 0n)],
      'work: 4294967296 ms are more than 4294967295',
    ],
  ])('for %s is refused', (_title, results, detail) =>
    given(...funded)
      .when(charge({ work: results }))
      .then(refused('WorkIsInvalid', detail)),
  );
});

describe('a refused charge', () => {
  const tooMuch = refused('ChargeExceedsReservation', `200 of 100 left for job ${jobId}`);
  const short = [credited(1_000n), fundsReserved(100n), tooMuch] as const;
  const writeOff: AccountCommand = {
    type: 'WriteOffCharge',
    data: { tenantId, jobId, taskId: 'task_1', reason: 'operator: a defect' },
  };
  const writtenOff: AccountEvent = { type: 'ChargeWrittenOff', data: writeOff.data };

  test('repeated is recorded once', () =>
    given(...short)
      .when(charge())
      .thenNothing());
  test('is made when it is sent again with what it lacked', () =>
    given(credited(1_000n), fundsReserved(600n), refused('FeeIsOutOfBounds', 'feeBps: 99'))
      .when(charge())
      .then(charged()));
  test('keeps the rest of the reservation', () =>
    given(...short)
      .when(release(1))
      .then(closing(1)));
  test('that is written off gives the rest back', () =>
    given(...short, closing(1))
      .when(writeOff)
      .then(writtenOff, released(100n)));
  test('is written off before the end of its job, too', () =>
    given(...short)
      .when(writeOff)
      .then(writtenOff));
  test('is written off once', () =>
    given(...short, writtenOff)
      .when(writeOff)
      .thenNothing());
  test('is never made after it was written off', () =>
    given(...short, writtenOff)
      .when(charge())
      .thenNothing());
  test('is not written off when there is none', () =>
    given(...funded)
      .when(writeOff)
      .thenRejected('ChargeNotFound'));
});

describe('a release', () => {
  test('gives back what was not charged', () =>
    given(...funded, charged())
      .when(release(1))
      .then(released(400n)));
  test('gives everything back when nothing was charged', () =>
    given(...funded)
      .when(release(0))
      .then(released(600n)));
  test('of a reservation that is used up moves nothing', () =>
    given(credited(1_000n), fundsReserved(200n), charged()).when(release(1)).then(released(0n)));
  test('waits for the charges that are on their way', () =>
    given(...funded, charged())
      .when(release(2))
      .then(closing(2)));
  test('comes with the last of these charges', () =>
    given(...funded, charged(), closing(2))
      .when(charge({ taskId: 'task_2' }))
      .then(charged('task_2'), released(200n)));
  test('does not come with a charge that is not the last', () =>
    given(...funded, closing(2))
      .when(charge())
      .then(charged()));
  test('repeated while it waits changes nothing', () =>
    given(...funded, closing(2))
      .when(release(2))
      .thenNothing());
  test('repeated changes nothing', () =>
    given(...funded, released(600n))
      .when(release(0))
      .thenNothing());
  test('of a reservation that was declined changes nothing', () =>
    given(credited(1_000n), declined).when(release(0)).thenNothing());
  test('that comes before its reservation is remembered', () =>
    given(credited(1_000n)).when(release(0)).then(closing(0)));
  test('of an unknown job with charges is refused', () =>
    given(credited(1_000n)).when(release(1)).thenRejected('ReservationNotFound'));
});

describe('a service', () => {
  const [used] = [resultOf('a', 1_234, 100n)];
  const period = (chargeNumber: number): AccountCommand => ({
    type: 'ChargePeriod',
    data: { tenantId, jobId, taskId: 'task_1', chargeNumber, work: used, feeBps: 250, burnBps: 2_000 },
  });
  const charges = (...commands: readonly AccountCommand[]) => {
    let state = account.initialState;
    const all: AccountEvent[] = [];
    for (const command of [credit(10_000n), reserve(1_000n), ...commands]) {
      const decision = account.decide(command, state);
      if (!decision.accepted) throw new Error(decision.rejection);
      all.push(...decision.events);
      state = decision.events.reduce(account.evolve, state);
    }
    return {
      state,
      made: all.slice(2).map(({ type, data }) => ('chargeNumber' in data ? data.chargeNumber : type)),
    };
  };
  const releaseAfter = (expectedCharges: number): AccountCommand => ({
    type: 'ReleaseFunds',
    data: { tenantId, jobId, expectedCharges },
  });

  test('is charged once for each period, in whatever order they come', () => {
    const { state, made } = charges(period(2), period(1), period(2), period(1), period(3));
    expect(made).toEqual([2, 1, 3]);
    expect(state.open.get(jobId)).toMatchObject({ leftAtto: 1_000n - 3n * 124n, periods: { upTo: 3 } });
    expect(state.open.get(jobId)?.periods?.beyond.size).toBe(0);
  });

  test('gets the rest back once all of its charges are in', () => {
    const { state, made } = charges(period(1), releaseAfter(3), period(3), period(2), period(2));
    expect(made).toEqual([1, 'ReservationClosing', 3, 2, 'FundsReleased']);
    expect(state.availableAtto).toBe(10_000n - 3n * 124n);
  });
});
