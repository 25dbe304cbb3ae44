import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { anvilMnemonic, startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Deployment } from '../deployment/addresses.js';
import { readConfiguration } from '../deployment/configuration.js';
import { deploy } from '../deployment/deploy.js';
import { AstroToken__factory } from '../gen/factories/AstroToken__factory.js';
import { Escrow__factory } from '../gen/factories/Escrow__factory.js';
import { PayoutTree, type Payout } from '../payouts/tree.js';
import { RpcPool } from '../rpc/pool.js';
import { PoolProvider } from '../rpc/provider.js';
import { walletFrom } from '../wallet.js';
import { claimPayout, readProof, type PayoutProof } from './claim.js';

const chainId = 31_337;
// Whom the local deployment gives which role; somebody without any sends the claims.
const [settler, rich, anybody] = [1, 6, 9];
const operators = [10, 11, 12].map(index => walletFrom(anvilMnemonic, index).address);
const astro = 10n ** 18n;
const batch = `0x${'b'.repeat(64)}`;
const payouts: readonly Payout[] = operators.map((account, index) => ({
  ...{ list: batch, index, account, amount: 130n * astro },
}));
const tree = new PayoutTree(payouts);

let dir: string;
let anvil: AnvilServer;
let pool: RpcPool;
let provider: PoolProvider;
let deployment: Deployment;
/** As the gateway answers. */
const answerOf = (index: number) => {
  const { amount, ...payout } = payouts[index]!;
  return { root: tree.root, payout: { ...payout, amount: String(amount) }, proof: tree.proofOf(index) };
};
const proofOf = (index: number) => readProof(answerOf(index));
const claim = (proof: PayoutProof) =>
  claimPayout(pool, deployment, walletFrom(anvilMnemonic, anybody), proof);
const heldBy = (account: string) =>
  AstroToken__factory.connect(deployment.contracts.token, provider).balanceOf(account);
const at = (account: number) =>
  Escrow__factory.connect(deployment.contracts.escrow, walletFrom(anvilMnemonic, account).connect(provider));

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-claim-'));
  anvil = await startAnvil({ dir });
  pool = new RpcPool([anvil.url]);
  provider = new PoolProvider(pool, chainId);
  const json: unknown = JSON.parse(readFileSync('deploy/chain/local.json', 'utf8'));
  deployment = await deploy({
    ...{ pool, chainId, wallet: walletFrom(anvilMnemonic, 0), configuration: readConfiguration(json) },
    ...{ keep: () => undefined, log: () => undefined },
  });
}, 60_000);
afterAll(async () => {
  provider?.destroy();
  pool?.close();
  await anvil?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a payout of a batch that the chain does not have yet is refused', async () => {
  await expect(claim(proofOf(0))).rejects.toThrow(`payout.list: the chain has no batch ${batch} yet`);
});

test('anybody has a payout paid to its own account, once', async () => {
  const tenant = walletFrom(anvilMnemonic, rich).address;
  const token = AstroToken__factory.connect(
    deployment.contracts.token,
    walletFrom(anvilMnemonic, rich).connect(provider),
  );
  await (await token.approve(deployment.contracts.escrow, 400n * astro)).wait();
  await (await at(rich).deposit(tenant, 400n * astro)).wait();
  await pool.call('evm_increaseTime', 20);
  await pool.call('evm_mine');
  const { timestamp } = (await provider.getBlock('latest'))!;
  await pool.call('evm_increaseTime', 20);
  await pool.call('evm_mine');
  const debits = [{ tenant, amount: 400n * astro }];
  await (await at(settler).settle(batch, tree.root, 390n * astro, timestamp, debits)).wait();

  const paid = await claim(proofOf(1));
  expect(paid).toEqual({ transactionHash: expect.stringMatching(/^0x[0-9a-f]{64}$/) });
  expect(await claim(proofOf(1))).toEqual({ refused: 'paid before' });
  expect(await Promise.all(operators.map(heldBy))).toEqual([0n, 130n * astro, 0n]);
});

test('a proof for another’s payout, or for more than it is, moves nothing', async () => {
  const stolen = { ...proofOf(0), payout: { ...proofOf(0).payout, account: operators[2]! } };
  const raised = { ...proofOf(0), payout: { ...proofOf(0).payout, amount: 131n * astro } };
  const others = { ...proofOf(0), proof: proofOf(2).proof };
  for (const proof of [stolen, raised, others])
    await expect(claim(proof)).rejects.toThrow('proof: does not lead from the payout to the root');
  const made = new PayoutTree([{ ...payouts[0]!, amount: 200n * astro }]);
  const forged = { root: made.root, payout: { ...payouts[0]!, amount: 200n * astro }, proof: [] };
  await expect(claim(forged)).rejects.toThrow('root: is not that of the batch on the chain');
  expect(await heldBy(operators[0]!)).toBe(0n);
});

test('while the contract is paused it says so', async () => {
  await (await at(4).pause()).wait();
  await expect(claim(proofOf(0))).rejects.toThrow('the contract refuses it: ');
  expect(await heldBy(operators[0]!)).toBe(0n);
});

test.each<[string, unknown, string]>([
  ['no object', 'text', 'the proof: must be an object'],
  ['no payout', { ...answerOf(0), payout: undefined }, 'payout: must be an object'],
  ['a short root', { ...answerOf(0), root: '0x12' }, 'root: must be 32 bytes in hex'],
  [
    'an amount of zero',
    changed({ amount: '0' }),
    'payout.amount: must be a whole number of base units, as a string',
  ],
  ['a negative amount', changed({ amount: '-1' }), 'payout.amount'],
  ['a fraction', changed({ amount: '1.5' }), 'payout.amount'],
  ['a JSON number', changed({ amount: 5 }), 'payout.amount'],
  ['more than 256 bits', changed({ amount: String(2n ** 256n) }), 'payout.amount'],
  ['a negative index', changed({ index: -1 }), 'payout.index: must be a whole number from 0'],
  ['no address', changed({ account: 'me' }), 'payout.account: must be an address'],
  [
    'a long proof',
    { ...answerOf(0), proof: Array(65).fill(batch) },
    'proof: must be a list of at most 64 hashes',
  ],
  ['a hash that is none', { ...answerOf(0), proof: ['x'] }, 'proof[0]: must be 32 bytes in hex'],
])('a proof with %s is refused, and says why', (_what, json, message) => {
  expect(() => readProof(json)).toThrow(message);
});

function changed(payout: object) {
  return { ...answerOf(0), payout: { ...answerOf(0).payout, ...payout } };
}
