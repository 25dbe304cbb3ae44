import { describe, expect, test } from '@jest/globals';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { specify } from '@astro/event-sourcing/specify';
import type { EscrowCommand, EscrowFact, FollowBlock } from '@astro/messages/billing';
import { escrow } from './escrow.js';

const given = specify(escrow);
const time = new Date(7_000);
const fact = (changes: Partial<EscrowFact>): EscrowFact => ({
  ...{ kind: 'deposited', transactionHash: '0xt', logIndex: 0, address: '0xaa', amountAtto: 5n },
  ...{ burnedAtto: 0n, toTreasuryAtto: 0n, reference: '', root: '', index: 0, bps: 0, ownerId: '' },
  ...changes,
});
const fees = (feeBps: number, burnBps: number) => [
  fact({ kind: 'fee_set', bps: feeBps, address: '', amountAtto: 0n }),
  fact({ kind: 'burn_share_set', bps: burnBps, address: '', amountAtto: 0n }),
];
const block = (number: number, facts: readonly EscrowFact[], changes: Partial<FollowBlock> = {}) =>
  ({
    type: 'FollowBlock',
    data: { position: number, number, hash: `0x${number}`, time, final: false, facts, ...changes },
  }) as const satisfies EscrowCommand;
const final = (position: number, finalNumber: number): EscrowCommand => ({
  type: 'FollowFinality',
  data: { position, finalNumber },
});
const revert = (position: number, number: number): EscrowCommand => ({
  type: 'FollowRevert',
  data: { position, number, hash: `0x${number}` },
});
const link: EscrowCommand = { type: 'RecogniseWallet', data: { address: '0xaa', ownerId: 'tenant_1' } };
const confirmed = (number: number, position: number, facts: readonly EscrowFact[]) =>
  ({
    type: 'EscrowBlockFinal',
    data: { position, number, hash: `0x${number}`, time, facts },
  }) as const;

test('a deposit waits until its block is final', () => {
  given()
    .when(block(1, [fact({})]), final(2, 0))
    .thenNothing();
  given()
    .when(block(1, [fact({})]), final(2, 1))
    .then(confirmed(1, 2, [fact({})]));
  given()
    .when(block(1, [fact({})], { final: true }))
    .then(confirmed(1, 1, [fact({})]));
});

test('what a reorganisation takes back never counts', () =>
  given()
    .when(block(1, [fact({})]), revert(2, 1), final(3, 9))
    .thenNothing());

test('what was followed before is nothing new', () => {
  const once = block(1, [fact({})], { final: true });
  given().when(once, once).thenNothing();
  given()
    .when(block(1, [fact({})]), final(2, 1), final(2, 1), revert(1, 1))
    .thenNothing();
});

test('a deposit of nobody is whose address it becomes, once', () => {
  given()
    .when(block(1, [fact({})], { final: true }), link)
    .then({
      type: 'WalletRecognised',
      data: { address: '0xaa', ownerId: 'tenant_1', facts: [fact({ ownerId: 'tenant_1' })] },
    });
  given()
    .when(block(1, [fact({})], { final: true }), link, link)
    .thenNothing();
  given()
    .when(link, block(1, [fact({})], { final: true }))
    .then(confirmed(1, 1, [fact({ ownerId: 'tenant_1' })]));
});

test('a fee counts from its final block on, and one out of bounds is refused and leaves the one before', () => {
  const set = {
    type: 'FeeScheduleSet',
    data: { feeBps: 250, burnBps: 2_000, since: time, number: 1 },
  } as const;
  given()
    .when(block(1, fees(250, 2_000), { final: true }))
    .then(confirmed(1, 1, fees(250, 2_000)), set);
  given()
    .when(block(1, fees(250, 2_000), { final: true }), block(2, fees(250, 2_000), { final: true }))
    .then(confirmed(2, 2, fees(250, 2_000)));
  given()
    .when(block(1, fees(250, 2_000), { final: true }), block(2, fees(600, 2_000), { final: true }))
    .then(confirmed(2, 2, fees(600, 2_000)), {
      type: 'FeeScheduleRefused',
      data: { feeBps: 600, burnBps: 2_000, number: 2 },
    });
});

test('two final blocks that change one parameter each make one fee after the other', () => {
  const [fee] = fees(300, 0);
  const share = fees(0, 1_000)[1]!;
  given()
    .when(block(1, fees(250, 2_000), { final: true }), block(2, [fee!]), block(3, [share]), final(4, 3))
    .then(
      confirmed(2, 4, [fee!]),
      { type: 'FeeScheduleSet', data: { feeBps: 300, burnBps: 2_000, since: time, number: 2 } },
      confirmed(3, 4, [share]),
      { type: 'FeeScheduleSet', data: { feeBps: 300, burnBps: 1_000, since: time, number: 3 } },
    );
});

test('the share of validators counts as the other two do, and is nothing until the chain tells of it', () => {
  const share = (bps: number) => fact({ kind: 'validator_share_set', bps, address: '', amountAtto: 0n });
  const before = block(1, fees(250, 2_000), { final: true });
  const set = (number: number, validatorBps: object) =>
    ({
      type: 'FeeScheduleSet',
      data: { feeBps: 250, burnBps: 2_000, ...validatorBps, since: time, number },
    }) as const;
  given()
    .when(before, block(2, [share(0)], { final: true }))
    .then(confirmed(2, 2, [share(0)]));
  given()
    .when(before, block(2, [share(3_000)], { final: true }))
    .then(confirmed(2, 2, [share(3_000)]), set(2, { validatorBps: 3_000 }));
  given()
    .when(before, block(2, [share(3_000)], { final: true }), block(3, [share(0)], { final: true }))
    .then(confirmed(3, 3, [share(0)]), set(3, {}));
  // The contract allows no such block; whoever made one up is not believed.
  given()
    .when(before, block(2, [share(8_001)], { final: true }))
    .then(confirmed(2, 2, [share(8_001)]), {
      type: 'FeeScheduleRefused',
      data: { feeBps: 250, burnBps: 2_000, validatorBps: 8_001, number: 2 },
    });
});

test('an operator that takes another address is paid there', () => {
  const again = { type: 'RecogniseWallet', data: { address: '0xbb', ownerId: 'tenant_1' } } as const;
  given()
    .when(link, again)
    .thenState(({ walletOf, ownerOf }) => {
      expect(walletOf.get('tenant_1')).toBe('0xbb');
      expect([...ownerOf.keys()]).toEqual(['0xaa', '0xbb']);
    });
});

describe('a withdrawal', () => {
  const withdrawalId = `repay_${'a'.repeat(26)}`;
  const reference = bytes32Of(withdrawalId);
  const asked = { tenantId: 'tenant_1', withdrawalId, address: '0xaa', amountAtto: 5n, causePosition: 7 };
  const queue: EscrowCommand = { type: 'QueueWithdrawal', data: asked };
  const drop: EscrowCommand = { type: 'DropWithdrawal', data: { withdrawalId, reason: 'reverted' } };
  const refunded = block(1, [fact({ kind: 'refunded', reference })], { final: true });
  const refused = (reason: string) =>
    ({ type: 'WithdrawalRefused', data: { tenantId: 'tenant_1', withdrawalId, reason } }) as const;

  test("is sent to the tenant's wallet, once", () => {
    given().when(link, queue).then({ type: 'WithdrawalQueued', data: asked });
    given().when(link, queue, queue).thenNothing();
    given().when(link, queue, refunded, queue).thenNothing();
  });

  test('to anybody else is refused', () =>
    given().when(queue).then(refused("the address is not the tenant's wallet")));

  test('that the chain refuses is over, and one that it has paid cannot be dropped', () => {
    given().when(link, queue, drop).then(refused('reverted'));
    given().when(link, queue, drop, drop).thenNothing();
    given().when(link, queue, refunded, drop).thenNothing();
  });
});
