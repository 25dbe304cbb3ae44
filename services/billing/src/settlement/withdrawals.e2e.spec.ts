import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import { fundsOf, liabilitiesAt } from '@astro/chain/escrow/calls';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { newId } from '@astro/event-sourcing/ids';
import { walletFrom } from '@astro/chain/wallet';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { escrowCustody, postingsIn } from '@astro/messages/ledger-accounts';
import { eventually, SettledMarket } from './settled-market.fixture.js';

const escrow = Escrow__factory.createInterface();
const [tenantAccount, leavingAccount, operatorAccount] = [2, 3, 4];
const astro = 10n ** 18n;
const [tenantId, leavingId, operatorId] = [newId('tenant'), newId('tenant'), newId('operator')];
const addressOf = (account: number) => walletFrom(anvilMnemonic, account).address.toLowerCase();
let market: SettledMarket;

beforeAll(async () => {
  market = await SettledMarket.start();
  await market.platform.connectBus('billing'); // makes the platform write its credentials
  for (const [id, account] of [
    [tenantId, tenantAccount],
    [leavingId, leavingAccount],
  ] as const) {
    await market.deposit(account, 1_000n * astro);
    await market.link('tenant', id, account);
  }
  await market.link('operator', operatorId, operatorAccount);
  market.startBilling();
  for (const id of [tenantId, leavingId]) await eventually(() => account(id), has('AccountCredited', 1));
  await market.stopBilling();
}, 240_000);
afterEach(() => market.stopBilling());
afterAll(() => market.stop());

const account = async (id: string) =>
  (await market.store.load({ type: 'billing.account', id })).map(({ event }) => event as AccountEvent);
const count = (events: readonly AccountEvent[], type: AccountEvent['type']) =>
  events.filter(event => event.type === type).length;
const has = (type: AccountEvent['type'], times: number) => (events: readonly AccountEvent[]) =>
  count(events, type) === times;

async function custody(): Promise<bigint> {
  const accounts = [...(await account(tenantId)), ...(await account(leavingId))];
  const postings = [...accounts, ...(await market.settlementEvents())].flatMap(postingsIn);
  return -postings.reduce(
    (sum, posting) => sum + (posting.account === escrowCustody ? posting.amountAtto : 0n),
    0n,
  );
}
async function held(): Promise<bigint> {
  const head = Number(await market.pool.call('eth_blockNumber'));
  const { depositsAtto, unclaimedAtto } = await liabilitiesAt(market.pool, market.deployment, head);
  return depositsAtto + unclaimedAtto;
}
const withdraw = (withdrawalId: string, amountAtto: bigint, address = addressOf(tenantAccount)) =>
  market.request({
    to: { type: 'billing.account', id: tenantId },
    type: 'WithdrawFunds',
    data: { tenantId, withdrawalId, address, amountAtto, requestedAt: new Date() },
  });

/** Each event of the withdrawal and each command that follows is one passage of these points. */
test.each(['before-publish:1', 'after-puback:1', 'after-puback:2', 'after-puback:3', 'after-puback:4'])(
  'billing that dies at %s pays a withdrawal once',
  async point => {
    const [tokens, before] = [await market.tokensOf(tenantAccount), await account(tenantId)];
    const doomed = market.startBilling({ ASTRO_CRASH_AT: point });
    const died = once(doomed, 'exit');
    const asked = withdraw(newId('repay'), 7n * astro);
    expect(await died).toEqual([null, 'SIGKILL']);
    market.startBilling();
    await eventually(() => account(tenantId), has('WithdrawalPaid', count(before, 'WithdrawalPaid') + 1));
    expect(await market.tokensOf(tenantAccount)).toBe(tokens + 7n * astro);
    expect(await custody()).toBe(await held());
    expect((await asked).accepted).toBe(true);
  },
  120_000,
);

test('what goes to another address is given back', async () => {
  const before = await account(tenantId);
  market.startBilling();
  await withdraw(newId('repay'), astro, addressOf(9));
  const after = await eventually(() => account(tenantId), has('WithdrawalReturned', 1));
  expect(after.at(-1)).toMatchObject({ data: { reason: "the address is not the tenant's wallet" } });
  expect(count(after, 'WithdrawalPaid')).toBe(count(before, 'WithdrawalPaid'));
}, 120_000);

test('a tenant that leaves by itself spends no more, and does not keep the others from being settled', async () => {
  const { escrow: to } = market.deployment.contracts;
  market.startBilling({ SETTLEMENT_EVERY_MS: '3600000' });
  await market.work(leavingId, [operatorId], 10n * astro);
  await eventually(() => account(leavingId), has('TaskCharged', 1));
  const announce = escrow.encodeFunctionData('announceWithdrawal', [1_000n * astro]);
  await market.sendAs(leavingAccount, to, announce);
  const locked = await eventually(() => account(leavingId), has('ExitLocked', 1));
  expect(locked.at(-1)).toMatchObject({ data: { lockedAtto: 990n * astro } });
  await market.pool.call('evm_setNextBlockTimestamp', await leavesAt());
  await market.sendAs(leavingAccount, to, escrow.encodeFunctionData('withdraw'));
  await eventually(() => account(leavingId), has('ExitFollowed', 1));
  expect(await custody()).toBe(await held());

  await market.work(tenantId, [operatorId], 3n * astro);
  await eventually(() => account(tenantId), has('TaskCharged', 1));
  await market.stopBilling();
  market.startBilling();
  const events = await eventually(() => market.settlementEvents(), settled(1));
  const sealed = events.filter(({ type }) => type === 'BatchSealed');
  expect(sealed).toMatchObject([{ data: { debits: [{ tenantId }], heldBack: [{ tenantId: leavingId }] } }]);
  await market.deposit(leavingAccount, 10n * astro);
  await eventually(() => market.settlementEvents(), settled(2));
  expect(await custody()).toBe(await held());
}, 180_000);

const settled = (batches: number) => (events: readonly SettlementEvent[]) =>
  events.filter(({ type }) => type === 'BatchSettled').length === batches;

async function leavesAt(): Promise<string> {
  const { availableAt } = await fundsOf(market.pool, market.deployment, addressOf(leavingAccount));
  return `0x${(availableAt.getTime() / 1_000).toString(16)}`;
}
