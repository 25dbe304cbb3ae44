import { expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, FollowPayment } from '@astro/messages/billing';
import { account } from './account.js';

const given = specify(account);
const tenantId = 'tenant_1';
const withdrawalId = `repay_${'a'.repeat(26)}`;
const address = `0x${'a'.repeat(40)}`;
const requestedAt = new Date('2026-01-02T03:04:05Z');
const [available, withdrawing] = ['tenant:tenant_1:available', 'tenant:tenant_1:withdrawing'];
const [owed, custody] = ['tenant:tenant_1:owed', 'escrow:custody'];

const credit: AccountCommand = {
  type: 'CreditAccount',
  data: { tenantId, creditId: 'credit_1', amountAtto: 1_000n },
};
const withdraw = (amountAtto: bigint, changes: object = {}): AccountCommand => ({
  type: 'WithdrawFunds',
  data: { tenantId, withdrawalId, address, amountAtto, requestedAt, ...changes },
});
const giveBack: AccountCommand = {
  type: 'ReturnWithdrawal',
  data: { tenantId, withdrawalId, reason: 'the chain refuses it' },
};
const announce = (factId: string, amountAtto: bigint): AccountCommand => ({
  type: 'LockForExit',
  data: { tenantId, factId, address, amountAtto, causePosition: 5 },
});
const pay = (amountAtto: bigint, changes: Partial<FollowPayment> = {}): AccountCommand => ({
  type: 'FollowPayment',
  data: {
    ...{ tenantId, factId: 'fact_9', address, amountAtto, endsExit: true },
    ...{ transactionHash: '0xt', causePosition: 9, ...changes },
  },
});
const refund = (amountAtto: bigint) => pay(amountAtto, { endsExit: false, withdrawalId });
const reserve = (amountAtto: bigint): AccountCommand => ({
  type: 'ReserveFunds',
  data: { tenantId, jobId: 'job_1', amountAtto },
});
const paid = (postings: readonly { account: string; amountAtto: bigint }[]) =>
  ({
    type: 'ExitFollowed',
    data: {
      ...{ tenantId, factId: 'fact_9', address, endsExit: true, transactionHash: '0xt', postings },
      causePosition: 9,
    },
  }) as const;

test('a withdrawal sets money aside, once, and the chain takes it from there', () => {
  given()
    .when(credit, withdraw(300n))
    .then({
      type: 'WithdrawalRequested',
      data: {
        ...{ tenantId, withdrawalId, address, requestedAt },
        postings: [
          { account: available, amountAtto: -300n },
          { account: withdrawing, amountAtto: 300n },
        ],
      },
    });
  given().when(credit, withdraw(300n), withdraw(300n)).thenNothing();
  given()
    .when(credit, withdraw(300n), refund(300n))
    .then({
      type: 'WithdrawalPaid',
      data: {
        ...{ tenantId, withdrawalId, factId: 'fact_9', transactionHash: '0xt', causePosition: 9 },
        postings: [
          { account: withdrawing, amountAtto: -300n },
          { account: custody, amountAtto: 300n },
        ],
      },
    });
  given().when(credit, withdraw(300n), refund(300n), refund(300n)).thenNothing();
  given().when(credit, withdraw(300n), refund(300n), giveBack).thenNothing();
});

test('what the chain refuses can be spent again, once', () => {
  given()
    .when(credit, withdraw(300n), giveBack)
    .then({
      type: 'WithdrawalReturned',
      data: {
        ...{ tenantId, withdrawalId, reason: 'the chain refuses it' },
        postings: [
          { account: withdrawing, amountAtto: -300n },
          { account: available, amountAtto: 300n },
        ],
      },
    });
  given().when(credit, withdraw(300n), giveBack, giveBack).thenNothing();
});

test.each([
  ['more than there is', withdraw(1_001n), 'FundsAreInsufficient'],
  ['nothing', withdraw(0n), 'AmountIsNotPositive'],
  ['a negative amount', withdraw(-1n), 'AmountIsNotPositive'],
  ['more than 256 bits', withdraw(2n ** 256n), 'AmountExceedsUint256'],
  ['an id that the chain cannot have', withdraw(1n, { withdrawalId: 'w' }), 'WithdrawalIsInvalid'],
  ['no address', withdraw(1n, { address: '0xAB' }), 'WithdrawalIsInvalid'],
] as const)('a withdrawal of %s is refused', (_title, command, rejection) =>
  given().when(credit, command).thenRejected(rejection),
);

test('the same id with another amount is refused', () =>
  given().when(credit, withdraw(300n), withdraw(301n)).thenRejected('WithdrawalExists'));

test('a seventeenth withdrawal waits until one of the others is paid', () => {
  const others = [...'abcdefghjkmnpqrs'].map(letter =>
    withdraw(1n, { withdrawalId: `repay_${letter.repeat(26)}` }),
  );
  expect(others).toHaveLength(16);
  const last = withdraw(1n, { withdrawalId: `repay_${'z'.repeat(26)}` });
  given()
    .when(credit, ...others, last)
    .thenRejected('TooManyWithdrawals');
});

test('what a tenant announces to leave with cannot be spent, and can be again when it takes it back', () => {
  given().when(credit, announce('f1', 900n), withdraw(101n)).thenRejected('FundsAreInsufficient');
  given()
    .when(credit, announce('f1', 900n), announce('f2', 200n))
    .then({
      type: 'ExitLocked',
      data: {
        ...{ tenantId, factId: 'f2', address, announcedAtto: 200n, lockedAtto: 200n, causePosition: 5 },
        postings: [
          { account: available, amountAtto: 700n },
          { account: withdrawing, amountAtto: -700n },
        ],
      },
    });
  given().when(credit, announce('f1', 900n), announce('f1', 900n)).thenNothing();
});

test('leaving takes what is locked first, and what was locked in vain can be spent again', () =>
  given()
    .when(credit, announce('f1', 900n), pay(400n))
    .then(
      paid([
        { account: withdrawing, amountAtto: -900n },
        { account: available, amountAtto: 500n },
        { account: custody, amountAtto: 400n },
      ]),
    ));

test('a tenant owes what it takes out although a job holds it, and cannot spend before that is paid', () => {
  given()
    .when(credit, reserve(700n), announce('f1', 1_000n), pay(1_000n))
    .then(
      paid([
        { account: withdrawing, amountAtto: -300n },
        { account: owed, amountAtto: -700n },
        { account: custody, amountAtto: 1_000n },
      ]),
    );
  const more: AccountCommand = {
    type: 'CreditAccount',
    data: { tenantId, creditId: 'credit_2', amountAtto: 701n },
  };
  const left = [credit, reserve(700n), announce('f1', 1_000n), pay(1_000n), more];
  given()
    .when(...left, withdraw(2n))
    .thenRejected('FundsAreInsufficient');
});
