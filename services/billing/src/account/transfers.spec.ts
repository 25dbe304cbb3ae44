import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, AccountEvent, TransferFunds } from '@astro/messages/billing';
import { account } from './account.js';
import type { AccountRejection } from './decision.js';

const given = specify(account);
const tenantId = 'tenant_1';
const available = 'tenant:tenant_1:available';
const requestedAt = new Date('2026-01-02T03:04:05Z');

const credited = (amountAtto: bigint): AccountEvent => ({
  type: 'AccountCredited',
  data: {
    tenantId,
    creditId: 'credit_1',
    postings: [
      { account: 'escrow:custody', amountAtto: -amountAtto },
      { account: available, amountAtto },
    ],
  },
});
const order = {
  tenantId,
  transferId: 'transfer_1',
  toTenantId: 'tenant_2',
  amountAtto: 400n,
  currency: 'ASTRO',
  requestedAt,
};
const give = (changes: Partial<TransferFunds> = {}): AccountCommand => ({
  type: 'TransferFunds',
  data: { ...order, ...changes },
});
const given400: AccountEvent = {
  type: 'FundsTransferred',
  data: {
    tenantId,
    transferId: 'transfer_1',
    toTenantId: 'tenant_2',
    postings: [
      { account: available, amountAtto: -400n },
      { account: 'tenant:tenant_2:incoming', amountAtto: 400n },
    ],
    requestedAt,
  },
};

describe('a transfer', () => {
  test('takes from the giver and is on its way to the receiver', () =>
    given(credited(1_000n)).when(give()).then(given400));
  test('may take all there is', () =>
    given(credited(400n), given400)
      .when(give())
      .thenState(({ availableAtto }) => expect(availableAtto).toBe(0n)));
  test('repeated changes nothing', () => given(credited(1_000n), given400).when(give()).thenNothing());
  test.each<[string, Partial<TransferFunds>, AccountRejection]>([
    ['of nothing', { amountAtto: 0n }, 'AmountIsNotPositive'],
    ['of less than nothing', { amountAtto: -1n }, 'AmountIsNotPositive'],
    ['of more than 256 bits hold', { amountAtto: 2n ** 256n }, 'AmountExceedsUint256'],
    ['of more than there is', { amountAtto: 1_001n }, 'FundsAreInsufficient'],
    ['to oneself', { toTenantId: tenantId }, 'ReceiverIsSender'],
    ['to nobody', { toTenantId: '' }, 'ReceiverIsInvalid'],
    ['to what is no id', { toTenantId: 'a:b' }, 'ReceiverIsInvalid'],
    ['of another currency', { currency: 'USD' }, 'CurrencyIsUnknown'],
  ])('%s is refused', (_title, changes, rejection) =>
    given(credited(1_000n)).when(give(changes)).thenRejected(rejection),
  );
  test.each<[string, Partial<TransferFunds>]>([
    ['amount', { amountAtto: 401n }],
    ['receiver', { toTenantId: 'tenant_3' }],
  ])('with another %s under the same id is refused', (_title, changes) =>
    given(credited(1_000n), given400).when(give(changes)).thenRejected('TransferExists'),
  );
});

describe('what was given', () => {
  const receive = (...positions: number[]): AccountCommand => ({
    type: 'ReceiveTransfers',
    data: {
      tenantId,
      transfers: positions.map(position => ({ position, transferId: `t${position}`, amountAtto: 10n })),
    },
  });
  const received = (throughPosition: number, transfers: number): AccountEvent => ({
    type: 'TransfersReceived',
    data: {
      tenantId,
      throughPosition,
      transfers,
      postings: [
        { account: 'tenant:tenant_1:incoming', amountAtto: -10n * BigInt(transfers) },
        { account: available, amountAtto: 10n * BigInt(transfers) },
      ],
    },
  });

  test('can be spent once it is received', () =>
    given()
      .when(receive(7, 9))
      .thenState(({ availableAtto }) => expect(availableAtto).toBe(20n)));
  test('is received with one event, however much it is', () =>
    given().when(receive(7, 9)).then(received(9, 2)));
  test('is received once', () => given(received(9, 2)).when(receive(7, 9)).thenNothing());
  test('is received once, however it is grouped when it comes again', () =>
    given(received(7, 1))
      .when(receive(7, 9, 12))
      .then(received(12, 2)));
  test('is refused out of order', () => given().when(receive(9, 7)).thenRejected('TransfersAreOutOfOrder'));
  test('is nothing when there is none', () => given().when(receive()).thenNothing());
});
