import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Fact, interfaces } from '@astro/chain/logs/fact';
import { walletFrom } from '@astro/chain/wallet';
import type { MirrorEvent } from '@astro/messages/chain';
import { openDatabase } from '@astro/postgres/database';
import { provision } from '@astro/postgres/provision';
import { pageOfSlashes } from '@astro/read-models/chain/slashing';
import type { MikroORM } from '@mikro-orm/postgresql';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContractCalls } from './contract-calls.fixture.js';
import { ChainView, type Block } from './follow/chain-view.js';
import { LocalChain } from './local-chain.fixture.js';
import { chainEntities, chainProjections } from './projections.js';

type Row = Readonly<Record<string, unknown>>;

const astro = 10n ** 18n;
const day = 86_400;
const hash = (digit: string): string => `0x${digit.repeat(64)}`;
const account = (index: number): string => walletFrom(anvilMnemonic, index).address;
const lower = (text: string): string => text.toLowerCase();

// Whom the local deployment gives which role.
const settler = account(1);
const verifier = account(2);
const publisher = account(3);
const guardian = account(4);
const reviewer = account(5);
const rich = account(6);
const operator = account(10);
const delegator = account(11);
const grantee = account(12);

let dir: string;
let postgres: PostgresServer;
let orm: MikroORM;
let chain: LocalChain;
let calls: ContractCalls;
let timelock: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-contracts-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  [postgres, chain] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres') }),
    LocalChain.start(dir),
  ]);
  calls = new ContractCalls(chain);
  timelock = await calls.impersonate(calls.addressOf('timelock'));
  const someone = [...[settler, verifier, publisher, guardian, reviewer, rich], operator, delegator, grantee];
  for (const one of someone) await calls.impersonate(one);
  for (const to of [operator, delegator]) await calls.send(rich, 'token', 'transfer', to, 100_000n * astro);
  for (const from of [rich, operator, delegator])
    for (const to of ['escrow', 'staking', 'slashing'] as const)
      await calls.send(from, 'token', 'approve', calls.addressOf(to), 10n ** 30n);
  const owner = { role: 'chain', password: 'chain', schema: 'chain' };
  const reader = { role: 'gateway', password: 'gateway' };
  await provision(postgres.adminUrl, { database: 'astro', owners: [owner], reader });
  const url = new URL(postgres.adminUrl);
  [url.username, url.password, url.pathname] = ['chain', 'chain', '/astro'];
  const entities = [...chainEntities];
  orm = await openDatabase({ url: url.href, schema: 'chain', entities, projections: chainProjections });
}, 120_000);
afterAll(async () => {
  await orm?.close();
  await chain?.stop();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Every block of the chain as the indexer reads it. */
async function blocks(): Promise<readonly Block[]> {
  const view = new ChainView(chain.deployment.contracts);
  return view.blocks(chain.pool.endpoints[0]!, 1, await chain.head());
}

/** The tables as they are after the whole chain. */
async function mirrored(): Promise<(table: string) => Promise<readonly Row[]>> {
  const em = orm.em.fork();
  await em.execute(`truncate ${chainEntities.map(({ meta }) => `chain."${meta.tableName}"`).join(', ')}`);
  const events = (await blocks())
    .filter(({ logs }) => logs.length > 0)
    .map((block): MirrorEvent => ({ type: 'BlockIndexed', data: { ...block, final: false } }));
  const about = { id: 'evt_1', aggregate: { type: 'chain.mirror', id: '1' }, position: 1 } as const;
  const metadata = { correlationId: 'req_1', causationId: 'req_1', actor: 'service:spec' };
  const recorded = events.map(event => ({ ...about, event, recordedAt: new Date(0), metadata }));
  for (const projection of chainProjections) await projection.applyBatch!(em, recorded);
  return table => em.execute<Row[]>(`select * from chain."${table}" order by 1`);
}

test('escrow: deposits, batches, claims, refunds, withdrawals and pauses', async () => {
  const batch = hash('b');
  const payout = [batch, 0, operator, 390n * astro] as const;
  await calls.send(rich, 'escrow', 'deposit', rich, 1_000n * astro);
  const root = await calls.rootOf(payout);
  await calls.pass(10); // on a fast machine the deployment, which set the fee, may be of this very second
  const chargedAt = await calls.now();
  await calls.pass(10);
  await calls.send(settler, 'escrow', 'settle', batch, root, 390n * astro, chargedAt, [[rich, 400n * astro]]);
  await calls.send(operator, 'escrow', 'claim', payout, []);
  await calls.send(settler, 'escrow', 'refund', rich, 100n * astro, hash('1'));
  await calls.send(rich, 'escrow', 'announceWithdrawal', 200n * astro);
  await calls.pass(3 * day + 1);
  await calls.send(rich, 'escrow', 'withdraw');
  await calls.send(rich, 'escrow', 'announceWithdrawal', 50n * astro);
  await calls.send(guardian, 'escrow', 'pause');
  const rows = await mirrored();
  const [balance] = await calls.ask('escrow', 'balanceOf', rich);
  expect(await rows('escrow_balances')).toMatchObject([
    {
      tenant: lower(rich),
      balance_atto: String(balance),
      withdrawing_atto: String(50n * astro),
      is_final: false,
    },
  ]);
  const settled = { batch, root, gross_atto: String(400n * astro), net_atto: String(390n * astro) };
  const fee = { burned_atto: String(2n * astro), to_treasury_atto: String(8n * astro) };
  expect(await rows('settlement_batches')).toMatchObject([
    { ...settled, ...fee, claimed_atto: String(390n * astro) },
  ]);
  expect(await rows('settlement_claims')).toMatchObject([
    { id: `${batch}/0`, account: lower(operator), amount_atto: String(390n * astro) },
  ]);
  const [until] = await calls.ask('escrow', 'pausedUntil');
  expect(await rows('contract_pauses')).toMatchObject([
    { contract: 'escrow', guardian: lower(guardian), until: String(until) },
  ]);
  await calls.send(timelock, 'escrow', 'resume');
  expect(await (await mirrored())('contract_pauses')).toMatchObject([{ contract: 'escrow', until: '0' }]);
}, 120_000);

test('stakes: delegation, unbonding, withdrawal, and slashing by every way a case can end', async () => {
  await calls.send(operator, 'staking', 'register', 0, hash('5'), 2_000n * astro);
  await calls.send(rich, 'staking', 'register', 1, hash('6'), 10_000n * astro);
  await calls.send(delegator, 'staking', 'stake', 0, operator, 500n * astro);
  await calls.send(delegator, 'staking', 'unbond', 0, operator, 200n * astro);
  await calls.pass(22 * day);
  await calls.send(delegator, 'staking', 'withdraw', 0, operator, 0);
  for (const id of [0, 1, 2, 3])
    await calls.send(delegator, 'slashing', 'accuse', 0, operator, 1_000 + id, hash('e'));
  await calls.send(operator, 'slashing', 'answer', 0, hash('a'));
  await calls.send(verifier, 'slashing', 'dismiss', 1);
  await calls.pass(3 * day + 1);
  for (const id of [0, 2]) await calls.send(verifier, 'slashing', 'uphold', id);
  await calls.send(operator, 'slashing', 'appeal', 2);
  await calls.send(timelock, 'slashing', 'decide', 2, false);
  await calls.pass(3 * day + 1);
  await calls.send(delegator, 'slashing', 'execute', 0);
  await calls.pass(21 * day);
  await calls.send(delegator, 'slashing', 'expire', 3);
  await calls.send(operator, 'staking', 'unbond', 0, operator, 100n * astro);
  const rows = await mirrored();

  const cases = await rows('slashing_cases');
  expect(cases.map(({ status }) => status)).toEqual(['slashed', 'dismissed', 'overturned', 'expired']);
  const slashedAtto = 230n * astro;
  expect(cases[0]).toMatchObject({
    ...{ role: 'operator', accused: lower(operator), accuser: lower(delegator), fraction_bps: 1_000 },
    ...{ rebuttal: hash('a'), deadline: '0', slashed_atto: String(slashedAtto) },
  });
  const [slash] = await rows('slashes');
  const parts = [slash!['to_reporter_atto'], slash!['burned_atto'], slash!['to_treasury_atto']];
  expect(parts.reduce((sum: bigint, part) => sum + BigInt(part as string), 0n)).toBe(slashedAtto);
  const told = await pageOfSlashes(orm.em.fork(), lower(operator), { limit: 9 });
  const evidence = { caseId: '0', evidence: hash('e'), rebuttal: hash('a'), accuser: lower(delegator) };
  expect(told!.rows).toMatchObject([{ fractionBps: 1_000, case: { ...evidence, slashedAtto } }]);
  expect((await pageOfSlashes(orm.em.fork(), lower(rich), { limit: 9 }))!.rows).toEqual([]);
  const providerOf = async (role: number, who: string) =>
    (await calls.ask('staking', 'providerOf', role, who))[0] as Readonly<Record<string, unknown>>;
  const [provider, validator] = [await providerOf(0, operator), await providerOf(1, rich)];
  const [wholeFactor, wholeShares] = [String(validator['factor']), String(validator['activeShares'])];
  expect(await rows('stake_providers')).toMatchObject([
    {
      ...{ id: `operator/${lower(operator)}`, subject: hash('5'), open_cases: 0 },
      ...{ active_shares: String(provider['activeShares']), factor: String(provider['factor']) },
    },
    { id: `validator/${lower(rich)}`, role: 'validator', factor: wholeFactor, active_shares: wholeShares },
  ]);
  const positions = (await rows('stake_positions')).filter(({ role }) => role === 'operator');
  const shares = positions.reduce((sum, row) => sum + BigInt(row['shares'] as string), 0n);
  expect(String(shares)).toBe(String(provider['activeShares']));
  const unbonding = await rows('stake_unbondings');
  expect(unbonding.map(row => [row['holder'], row['withdrawn_atto']])).toEqual([
    [lower(delegator), String(200n * astro)],
    [lower(operator), '0'],
  ]);
  const [leaving] = await calls.ask('staking', 'leavingOf', 0, operator, 1, operator);
  expect(unbonding[1]!['shares']).toBe(String(leaving));
  expect(await rows('released_buckets')).toMatchObject([{ factor: wholeFactor }]);
}, 180_000);

test('rewards: an epoch that is claimed, and one that is cancelled', async () => {
  const [list] = (await calls.ask('rewards', 'listOf', 0)) as [string];
  const payout = [list, 0, operator, 7n * astro] as const;
  await calls.send(publisher, 'rewards', 'publish', 0, await calls.rootOf(payout), 7n * astro);
  await calls.send(publisher, 'rewards', 'publish', 1, hash('2'), 9n * astro);
  await calls.send(guardian, 'rewards', 'cancel', 1);
  await calls.pass(day + 1);
  await calls.send(operator, 'rewards', 'claim', 0, payout, []);
  await calls.send(timelock, 'parameters', 'set', 16, 2_500);
  const batch = hash('c');
  await calls.pass(10);
  const chargedAt = await calls.now();
  await calls.pass(10);
  const fee = [[rich, 40n * astro]];
  await calls.send(settler, 'escrow', 'settle', batch, hash('d'), 39n * astro, chargedAt, fee);
  await calls.send(rich, 'token', 'approve', calls.addressOf('rewards'), 3n * astro);
  for (const amount of [astro, 2n * astro]) await calls.send(rich, 'rewards', 'fund', amount);
  await calls.send(guardian, 'rewards', 'pause');
  const [until] = await calls.ask('rewards', 'pausedUntil');
  const rows = await mirrored();
  expect(await rows('contract_pauses')).toContainEqual(
    expect.objectContaining({ contract: 'rewards', guardian: lower(guardian), until: String(until) }),
  );
  await calls.send(timelock, 'rewards', 'resume');
  expect(await (await mirrored())('contract_pauses')).toContainEqual(
    expect.objectContaining({ contract: 'rewards', until: '0' }),
  );
  expect(await rows('reward_epochs')).toMatchObject([
    { epoch: '0', total_atto: String(7n * astro), claimed_atto: String(7n * astro), is_cancelled: false },
    { epoch: '1', total_atto: String(9n * astro), claimed_atto: '0', is_cancelled: true },
  ]);
  expect(await rows('reward_claims')).toMatchObject([{ id: '0/0', account: lower(operator) }]);
  const paidIn = new Map((await rows('reward_funds')).map(row => [row['payer'], row['amount_atto']]));
  expect(paidIn.get(lower(calls.addressOf('escrow')))).toBe(String(astro / 4n));
  expect(paidIn.get(lower(rich))).toBe(String(3n * astro));
  expect(await rows('parameters')).toContainEqual(
    expect.objectContaining({ parameter: '16', value: '2500' }),
  );
}, 120_000);

test('votes: what was decided is queued, executed, and does what it says; another is called off', async () => {
  await calls.send(rich, 'token', 'delegate', rich);
  await calls.pass(2);
  const pay = calls.encode('treasury', 'pay', calls.addressOf('token'), grantee, 5n * astro, hash('7'));
  const set = calls.encode('parameters', 'set', 0, 300);
  const targets = [calls.addressOf('treasury'), calls.addressOf('parameters')];
  const proposal = [targets, [0, 0], [pay, set]] as const;
  await calls.send(rich, 'governor', 'propose', ...proposal, 'Raise the fee, pay the grantee');
  await calls.send(rich, 'governor', 'propose', ...proposal, 'The same once more');
  const rows = await mirrored();
  const texts = new Map(
    (await rows('proposals')).map(row => [row['description'], row['proposal_id'] as string]),
  );
  const [first, second] = [texts.get('Raise the fee, pay the grantee')!, texts.get('The same once more')!];
  const digest = async (text: string) =>
    (await chain.call('web3_sha3', `0x${Buffer.from(text).toString('hex')}`)) as string;
  await calls.send(rich, 'governor', 'cancel', ...proposal, await digest('The same once more'));
  await calls.pass(day + 2);
  await calls.send(rich, 'governor', 'castVoteWithReason', first, 1, 'because');
  await calls.pass(8 * day);
  const about = [...proposal, await digest('Raise the fee, pay the grantee')] as const;
  await calls.send(rich, 'governor', 'queue', ...about);
  await calls.pass(2 * day + 1);
  await calls.send(rich, 'governor', 'execute', ...about);

  const after = await mirrored();
  const proposals = new Map((await after('proposals')).map(row => [row['proposal_id'], row]));
  const weight = String((await calls.ask('governor', 'proposalVotes', first))[1]);
  expect(proposals.get(first)).toMatchObject({ status: 'executed', for_votes: weight, against_votes: '0' });
  expect(proposals.get(second)).toMatchObject({ status: 'cancelled', for_votes: '0' });
  expect(await after('votes')).toMatchObject([
    { id: `${first}/${lower(rich)}`, support: 'for', weight, reason: 'because' },
  ]);
  expect((await after('parameters')).find(({ parameter }) => parameter === '0')).toMatchObject({
    value: '300',
  });
  expect(await after('treasury_payments')).toMatchObject([
    { to: lower(grantee), amount_atto: String(5n * astro), purpose: hash('7') },
  ]);
  expect(await after('timelock_operations')).toMatchObject([
    { calls: 2, executed_calls: 2, status: 'executed' },
  ]);
}, 180_000);

test('votes: a quorum that is reached late moves the end, and a vote with parameters is a vote', async () => {
  const set = calls.encode('parameters', 'set', 0, 400);
  const proposal = [[calls.addressOf('parameters')], [0], [set]] as const;
  const about = async (rows: (table: string) => Promise<readonly Row[]>) =>
    (await rows('proposals')).find(({ description }) => description === 'Raise the fee again')!;
  await calls.send(rich, 'token', 'delegate', rich);
  await calls.pass(2);
  await calls.send(rich, 'governor', 'propose', ...proposal, 'Raise the fee again');
  const before = await about(await mirrored());
  await calls.pass(8 * day - 3_600);
  const id = before['proposal_id'] as string;
  await calls.send(rich, 'governor', 'castVoteWithReasonAndParams', id, 2, 'neither', '0x01');
  const rows = await mirrored();
  const [deadline] = await calls.ask('governor', 'proposalDeadline', id);
  const after = await about(rows);
  expect(after['vote_end']).toBe(String(deadline));
  expect(Number(after['vote_end'])).toBeGreaterThan(Number(before['vote_end']));
  expect((await rows('votes')).find(({ id: vote }) => vote === `${id}/${lower(rich)}`)).toMatchObject({
    support: 'abstain',
    reason: 'neither',
  });
}, 180_000);

test('timelock: what is scheduled waits, and what is called off does not', async () => {
  const governor = await calls.impersonate(calls.addressOf('governor'));
  const set = calls.encode('parameters', 'set', 0, 200);
  const operation = [calls.addressOf('parameters'), 0, set, hash('0')] as const;
  for (const salt of ['8', '9'])
    await calls.send(governor, 'timelock', 'schedule', ...operation, hash(salt), 2 * day);
  const [waiting] = (await calls.ask('timelock', 'hashOperation', ...operation, hash('8'))) as [string];
  const [calledOff] = (await calls.ask('timelock', 'hashOperation', ...operation, hash('9'))) as [string];
  await calls.send(governor, 'timelock', 'cancel', calledOff);
  const rows = await (await mirrored())('timelock_operations');
  const [readyAt] = await calls.ask('timelock', 'getTimestamp', waiting);
  expect(rows.find(({ operation_id: id }) => id === waiting)).toMatchObject({
    ...{ status: 'scheduled', calls: 1, executed_calls: 0, ready_at: String(readyAt) },
  });
  expect(rows.find(({ operation_id: id }) => id === calledOff)).toMatchObject({ status: 'cancelled' });
}, 120_000);

test('grants: a milestone that is sent back, approved and paid, and a clawback of the rest', async () => {
  const token = calls.addressOf('token');
  await calls.send(timelock, 'treasury', 'pay', token, calls.addressOf('grants'), 30n * astro, hash('3'));
  await calls.send(timelock, 'grants', 'grant', grantee, [10n * astro, 20n * astro], hash('4'));
  await calls.send(grantee, 'grants', 'deliver', 0, 0, hash('c'));
  await calls.send(reviewer, 'grants', 'reject', 0, 0, hash('d'));
  await calls.send(grantee, 'grants', 'deliver', 0, 0, hash('c'));
  await calls.send(reviewer, 'grants', 'approve', 0, 0);
  await calls.send(grantee, 'grants', 'pay', 0, 0);
  await calls.send(timelock, 'grants', 'clawBack', 0);
  const rows = await mirrored();
  expect(await rows('grants')).toMatchObject([
    {
      ...{ grant_id: '0', grantee: lower(grantee), amount_atto: String(30n * astro) },
      ...{ paid_atto: String(10n * astro), clawed_back_atto: String(20n * astro) },
    },
  ]);
  expect(await rows('grant_milestones')).toMatchObject([
    { id: '0/0', amount_atto: String(10n * astro), status: 'paid' },
    { id: '0/1', amount_atto: String(20n * astro), status: 'pending' },
  ]);
}, 120_000);

test('vesting: what is released, moved to another account, and revoked', async () => {
  const beneficiary = await calls.impersonate(account(8));
  await calls.send(beneficiary, 'vesting', 'release', 1);
  await calls.send(beneficiary, 'vesting', 'changeBeneficiary', 1, grantee);
  await calls.send(timelock, 'vesting', 'revoke', 0);
  const rows = await (await mirrored())('vesting_schedules');
  const [released] = await calls.ask('vesting', 'released', 1);
  expect(rows).toMatchObject([
    { schedule_id: '0', is_revocable: true, is_revoked: true, released_atto: '0' },
    { schedule_id: '1', beneficiary: lower(grantee), released_atto: String(released), is_revoked: false },
    { schedule_id: '2', released_atto: '0', returned_atto: '0' },
  ]);
  expect(BigInt(rows[1]!['released_atto'] as string)).toBeGreaterThan(0n);
}, 120_000);

test('balances are those of the chain, whatever moved them', async () => {
  const rows = await mirrored();
  for (const { account: holder, balance_atto: balance } of await rows('token_balances'))
    expect(balance).toBe(String(await chain.balanceOf(holder as string)));
});

/** What the contracts can log and nothing above makes them log. */
const unlogged: readonly string[] = ['governor.EIP712DomainChanged', 'token.EIP712DomainChanged'];
/** The rest of what each of them can log: roles change by votes only. */
const ofRoles = /\.(RoleAdminChanged|RoleRevoked)$/;

test('the contracts have logged here whatever they can, but for what is named', async () => {
  const logged = new Set((await blocks()).flatMap(({ logs }) => logs.map(log => Fact.of(log)!.name)));
  const all = Object.entries(interfaces).flatMap(([contract, face]) => {
    const names: string[] = [];
    face.forEachEvent(({ name }) => names.push(`${contract}.${name}`));
    return names;
  });
  expect(all.filter(name => !logged.has(name) && !ofRoles.test(name)).sort()).toEqual([...unlogged].sort());
});
