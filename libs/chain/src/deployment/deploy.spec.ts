import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { anvilMnemonic, startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import { parseEther, ZeroHash, type Wallet } from 'ethers';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AstroToken__factory } from '../gen/factories/AstroToken__factory.js';
import { TimelockController__factory } from '../gen/factories/TimelockController__factory.js';
import { RpcPool } from '../rpc/pool.js';
import { PoolProvider } from '../rpc/provider.js';
import { walletFrom } from '../wallet.js';
import { InvalidDeployment, readConfiguration } from './configuration.js';
import { deploy, DeploymentDiverged, type DeployOptions, type Progress } from './deploy.js';
import { foreignPowers } from './verify.js';

const json = JSON.parse(readFileSync('deploy/chain/local.json', 'utf8')) as Record<string, unknown> & {
  allocations: { name: string; holder: string; amount: string }[];
};
const chainId = 31_337;

let dir: string;
let anvil: AnvilServer;
let pool: RpcPool;
let provider: PoolProvider;
let wallet: Wallet;
let kept: Progress | undefined;
const keep = (progress: Progress) => void (kept = progress);
const options = (over: Partial<DeployOptions> = {}): DeployOptions => ({
  ...{ pool, wallet, chainId, configuration: readConfiguration(json), keep, log: () => undefined },
  ...(kept && { progress: kept }),
  ...over,
});

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-deploy-'));
  anvil = await startAnvil({ dir });
  pool = new RpcPool([anvil.url]);
  provider = new PoolProvider(pool, chainId);
  wallet = walletFrom(anvilMnemonic, 0);
});
afterAll(async () => {
  provider?.destroy();
  pool?.close();
  await anvil?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('allocations that do not add up to the supply are refused, with both figures', () => {
  const [first, ...rest] = json.allocations;
  const allocations = [{ ...first!, amount: '3999999999' }, ...rest];
  expect(() => readConfiguration({ ...json, allocations })).toThrow(
    `allocations: add up to ${parseEther('9999999999')}, and the supply is ${parseEther('10000000000')}`,
  );
});

test('a supply above the cap is refused', () => {
  const [first, ...rest] = json.allocations;
  const allocations = [{ ...first!, amount: '4000000001' }, ...rest];
  expect(() => readConfiguration({ ...json, supply: '10000000001', allocations })).toThrow(
    'is above the cap',
  );
});

test('the team gets its share through vesting only', () => {
  const allocations = json.allocations.map(row =>
    row.name === 'team' ? { ...row, holder: 'treasury' } : row,
  );
  expect(() => readConfiguration({ ...json, allocations })).toThrow(InvalidDeployment);
  expect(() => readConfiguration({ ...json, allocations })).toThrow(
    'team must be held by vesting, not by treasury',
  );
});

test('a deployment that was cut off half-way is finished by the next run, and a third one sends nothing', async () => {
  let sent = 0;
  const cut = (line: string) => {
    if (line.startsWith('deploys') && ++sent === 6) throw new Error('the process died');
  };
  await expect(deploy(options({ log: cut }))).rejects.toThrow('the process died');
  expect(await provider.getTransactionCount(wallet.address)).toBe(5);

  const { contracts } = await deploy(options());
  expect(await provider.getTransactionCount(wallet.address)).toBe(17);
  const token = AstroToken__factory.connect(contracts.token, provider);
  expect(await token.totalSupply()).toBe(parseEther('10000000000'));
  expect(await token.balanceOf(contracts.vesting)).toBe(parseEther('3000000000'));

  expect((await deploy(options())).contracts).toEqual(contracts);
  expect(await provider.getTransactionCount(wallet.address)).toBe(17);
});

test('the timelock alone administers, and nobody else can propose', async () => {
  expect(await foreignPowers(pool, kept!.deployment)).toEqual([]);
});

test('another configuration does not finish what was begun', async () => {
  const configuration = readConfiguration({ ...json, supply: '10000000000.0' });
  expect((await deploy(options({ configuration }))).chainId).toBe(chainId); // the same amount in other words
  const other = readConfiguration({
    ...json,
    emission: { start: '2026-01-01T00:00:00Z', firstEra: '400000000', decayBps: 1500 },
  });
  await expect(deploy(options({ configuration: other }))).rejects.toThrow(DeploymentDiverged);
});

test('a deployer that keeps its right is told', async () => {
  const snapshot = await provider.send('evm_snapshot', []);
  const { timelock } = kept!.deployment.contracts;
  await provider.send('anvil_impersonateAccount', [timelock]);
  await provider.send('anvil_setBalance', [timelock, '0xde0b6b3a7640000']);
  const data = TimelockController__factory.createInterface().encodeFunctionData('grantRole', [
    ZeroHash,
    wallet.address,
  ]);
  const hash = (await provider.send('eth_sendTransaction', [
    { from: timelock, to: timelock, data },
  ])) as string;
  // The chain answers before it has made the block.
  await provider.waitForTransaction(hash);
  expect(await foreignPowers(pool, kept!.deployment)).toEqual([
    `${wallet.address} is administrator of timelock`,
  ]);
  await provider.send('evm_revert', [snapshot]);
});
