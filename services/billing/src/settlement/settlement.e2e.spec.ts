import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { anvilMnemonic, localChainId } from '@astro/devstack/anvil/server';
import { freePort } from '@astro/devstack/ports';
import { claimCall, feeParameters, liabilitiesAt } from '@astro/chain/escrow/calls';
import { walletFrom } from '@astro/chain/wallet';
import { newId } from '@astro/event-sourcing/ids';
import type { Outcome } from '@astro/jetstream/command-bus';
import type { AccountEvent, BatchSealed, EscrowEvent, SettlementEvent } from '@astro/messages/billing';
import { escrowCustody, postingsIn } from '@astro/messages/ledger-accounts';
import { openReader } from '@astro/postgres/database';
import { Earning, moneyOf, OperatorMoney } from '@astro/read-models/billing/earnings';
import { claimsOf, treeOf } from './batch.js';
import { eventually, SettledMarket } from './settled-market.fixture.js';

const [tenantAccount, operatorAccount, lateAccount] = [2, 3, 4];
const astro = 10n ** 18n;
const tenantId = newId('tenant');
const [operatorId, lateId] = [newId('operator'), newId('operator')];
let market: SettledMarket;

beforeAll(async () => {
  market = await SettledMarket.start();
  await market.platform.connectBus('billing'); // makes the platform write its credentials
}, 180_000);
afterEach(() => market.stopBilling());
afterAll(() => market.stop());

const of = <Type extends SettlementEvent['type']>(events: readonly SettlementEvent[], type: Type) =>
  events.filter((event): event is Extract<SettlementEvent, { type: Type }> => event.type === type);
const account = async () =>
  (await market.store.load({ type: 'billing.account', id: tenantId })).map(
    ({ event }) => event as AccountEvent,
  );
const charges = async () => (await account()).filter(({ type }) => type === 'TaskCharged');

/** Minus the balance of custody: what the ledger says that Escrow holds. */
async function custody(): Promise<bigint> {
  const events = [...(await account()), ...(await market.settlementEvents())];
  const postings = events.flatMap(postingsIn).filter(posting => posting.account === escrowCustody);
  return -postings.reduce((sum, { amountAtto }) => sum + amountAtto, 0n);
}
async function held(): Promise<bigint> {
  const head = Number(await market.pool.call('eth_blockNumber'));
  const { depositsAtto, unclaimedAtto } = await liabilitiesAt(market.pool, market.deployment, head);
  return depositsAtto + unclaimedAtto;
}
const sumOf = (amounts: readonly bigint[]) => amounts.reduce((sum, amount) => sum + amount, 0n);
const settledCharges = (events: readonly SettlementEvent[]) =>
  of(events, 'BatchSealed').flatMap(({ data }) => data.debits.map(({ amountAtto }) => amountAtto));
const isAllSettled = (expected: bigint) => (events: readonly SettlementEvent[]) =>
  sumOf(settledCharges(events)) === expected &&
  of(events, 'BatchSettled').length === of(events, 'BatchSealed').length;

const escrowEvents = async () =>
  (await market.store.load({ type: 'billing.escrow', id: String(localChainId) })).map(
    ({ event }) => event as EscrowEvent,
  );
const toValidators = (events: readonly SettlementEvent[]) =>
  sumOf(of(events, 'BatchSealed').map(({ data }) => data.toValidatorsAtto ?? 0n));

test('a final deposit of a linked address is credited, and a batch of work is settled and claimed', async () => {
  market.startBilling();
  await market.deposit(tenantAccount, 1_000n * astro);
  await eventually(escrowEvents, events =>
    events.some(
      ({ type, data }) => type === 'EscrowBlockFinal' && data.facts.some(({ kind }) => kind === 'deposited'),
    ),
  );
  expect(await account()).toEqual([]);
  await market.link('tenant', tenantId, tenantAccount);
  await eventually(account, events => events.some(({ type }) => type === 'AccountCredited'));
  await market.link('operator', operatorId, operatorAccount);

  await market.work(tenantId, [operatorId, lateId], 100n * astro + 7n);
  await eventually(charges, events => events.length === 1);
  const one = await eventually(
    () => market.settlementEvents(),
    events => of(events, 'BatchSettled').length === 1,
  );
  const [sealed] = of(one, 'BatchSealed');
  expect(sealed!.data.payouts.map(payout => payout.operatorId)).toEqual([operatorId]);
  expect(sealed!.data.heldBack.map(share => share.operatorId)).toEqual([lateId]);
  expect(await market.batchOf(sealed!.data.batchId)).toMatchObject({ root: sealed!.data.root, paid: 0n });
  expect(await custody()).toBe(await held());

  // What the late one earned was charged before: validators have nothing of it.
  await market.setParameter(feeParameters.validatorBps, 3_000);
  await eventually(escrowEvents, events =>
    events.some(({ type, data }) => type === 'FeeScheduleSet' && data.validatorBps === 3_000),
  );
  await market.link('operator', lateId, lateAccount);
  const two = await eventually(
    () => market.settlementEvents(),
    events => of(events, 'BatchSettled').length === 2,
  );
  for (const { data } of of(two, 'BatchSealed')) await claimAll(data);
  const end = await eventually(
    () => market.settlementEvents(),
    events => of(events, 'PayoutClaimed').length === 2,
  );
  const paid = of(end, 'PayoutClaimed').map(({ data }) => data.amountAtto);
  expect([await market.tokensOf(operatorAccount), await market.tokensOf(lateAccount)]).toEqual(paid);
  expect(await custody()).toBe(await held());
  expect([toValidators(end), await market.paidToValidators()]).toEqual([0n, 0n]);
  await operatorsSee(paid);
}, 180_000);

/** What each of the two earned by its days and nodes is what it was paid, but for what its batch rounded. */
async function operatorsSee(paid: readonly bigint[]): Promise<void> {
  const url = market.platform.databaseUrlOf('gateway');
  const reader = await openReader({ url, entities: [Earning, OperatorMoney] });
  const money = await eventually(
    () => Promise.all([operatorId, lateId].map(id => moneyOf(reader.em.fork(), id))),
    all => all.every(({ claimedAtto }) => claimedAtto > 0n),
  );
  for (const [index, { operatorId: id, earnedAtto, roundedAtto, ...where }] of money.entries()) {
    const rows = await reader.em.fork().find(Earning, { operatorId: id });
    expect(sumOf(rows.map(({ netAtto }) => netAtto))).toBe(earnedAtto);
    expect(where).toMatchObject({ pendingAtto: 0n, settlingAtto: 0n, claimableAtto: 0n });
    expect([where.claimedAtto, earnedAtto + roundedAtto]).toEqual([paid[index], paid[index]]);
  }
  await reader.close();
}

/** Anybody may: the settler's gas pays for it here. */
async function claimAll({ batchId, payouts }: BatchSealed): Promise<void> {
  const claims = claimsOf(batchId, payouts);
  const tree = treeOf(batchId, payouts);
  for (const claim of claims) {
    const { to, data } = claimCall(market.deployment, claim, tree.proofOf(claim.index));
    await market.sendAs(9, to, data);
  }
}

/** It seals, sends, sees the settlement, and confirms it: each step is one passage of these points. */
test.each([
  ['has sealed nothing', 'before-publish:1'],
  ['has sealed and not sent', 'after-puback:1'],
  ['has sent the transaction', 'after-puback:2'],
  ['has seen the settlement', 'after-puback:3'],
  ['has recorded that it is settled', 'after-puback:4'],
])(
  'billing that dies when it %s settles each charge once',
  async (_title, point) => {
    const before = sumOf(settledCharges(await market.settlementEvents()));
    const costAtto = 3n * astro + 1n;
    const made = (await charges()).length;
    market.startBilling({ SETTLEMENT_EVERY_MS: '3600000' });
    await market.work(tenantId, [operatorId], costAtto);
    await eventually(charges, events => events.length === made + 1);
    await market.stopBilling();

    const doomed = market.startBilling({ ASTRO_CRASH_AT: point });
    expect(await once(doomed, 'exit')).toEqual([null, 'SIGKILL']);
    market.startBilling();
    const events = await eventually(() => market.settlementEvents(), isAllSettled(before + costAtto));
    const ids = of(events, 'BatchSealed').map(({ data }) => data.batchId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await custody()).toBe(await held());
    // Since the vote: three tenths of the fee of 2.5 per cent.
    expect(of(events, 'BatchSealed').at(-1).data.toValidatorsAtto).toBe((75n * costAtto) / 10_000n);
    expect(await market.paidToValidators()).toBe(toValidators(events));
  },
  120_000,
);

test('what the chain knows nothing of is told and stops settlement until somebody says why', async () => {
  const settlement = await watchedBilling();
  const [before, started] = [await market.settlementEvents(), (await charges()).length];
  await market.work(tenantId, [operatorId], astro);
  const since = async () => (await market.settlementEvents()).slice(before.length);
  await eventually(since, events => of(events, 'BatchSettled').length === 1);
  expect(await settlement()).toMatchObject({ state: 'running', differences: [] });

  const strangerId = newId('tenant');
  const credit = (creditId: string): Promise<Outcome> => {
    const to = { type: 'billing.account', id: strangerId } as const;
    const data = { tenantId: strangerId, creditId, amountAtto: 5n * astro };
    return market.request({ to, type: 'CreditAccount', data });
  };
  expect(await credit(newId('credit'))).toMatchObject({ accepted: false, rejection: 'CreditIsNotOnChain' });
  const forged = `0x${'66'.repeat(32)}:0`;
  expect(await credit(`${localChainId}:${forged}`)).toMatchObject({ accepted: true });
  const [halted] = of(await eventually(since, hasHalted(1)), 'SettlementHalted');
  const { ledgerAtto, escrowAtto, differences } = halted!.data;
  expect(differences).toEqual([{ reference: forged, ledgerAtto: 5n * astro, chainAtto: 0n }]);
  expect([ledgerAtto - escrowAtto, escrowAtto]).toEqual([5n * astro, await held()]);
  expect(await settlement()).toMatchObject({ state: 'halted', differences: [{ reference: forged }] });

  await market.work(tenantId, [operatorId], astro);
  await eventually(charges, events => events.length === started + 2);
  const paid = await withdrawOne();
  await sleep(2_000);
  expect(of(await since(), 'BatchSealed').length).toBe(1);
  expect(await paid()).toBe(0n);
  await market.platform.administration().resumeSettlement(String(localChainId), 'a gift');
  await eventually(since, events => of(events, 'BatchSettled').length === 2);
  await eventually(paid, amount => amount === astro);

  await credit(`${localChainId}:${forged.replace(':0', ':1')}`);
  const alerts = of(await eventually(since, hasHalted(2)), 'SettlementHalted');
  expect(alerts.map(({ data }) => data.differences.map(({ reference }) => reference))).toEqual([
    [forged],
    [forged.replace(':0', ':1')],
  ]);
}, 180_000);

/** Asks for an ASTRO, and waits until it is queued; how much has arrived since. */
async function withdrawOne(): Promise<() => Promise<bigint>> {
  const before = await market.tokensOf(tenantAccount);
  const address = walletFrom(anvilMnemonic, tenantAccount).address.toLowerCase();
  const data = { withdrawalId: newId('repay'), address, requestedAt: new Date() };
  const to = { type: 'billing.account', id: tenantId } as const;
  const command = { to, type: 'WithdrawFunds', data: { tenantId, amountAtto: astro, ...data } } as const;
  expect(await market.request(command)).toMatchObject({ accepted: true });
  await eventually(escrowEvents, events => events.some(({ type }) => type === 'WithdrawalQueued'));
  return async () => (await market.tokensOf(tenantAccount)) - before;
}

const hasHalted = (times: number) => (events: readonly SettlementEvent[]) =>
  of(events, 'SettlementHalted').length === times;

/** Billing that looks often; what it answers of its settlement. */
async function watchedBilling(): Promise<() => Promise<unknown>> {
  const port = await freePort();
  const often = { RECONCILE_EVERY_MS: '100', RECONCILE_GRACE_MS: '3000' };
  market.startBilling({ ...often, HTTP_PORT: String(port) });
  return async () => (await fetch(`http://127.0.0.1:${port}/health/settlement`)).json();
}
