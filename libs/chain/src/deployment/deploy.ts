import { hash as digestOf } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BaseWallet } from 'ethers';
import { RpcRefused } from '../rpc/failures.js';
import type { RpcPool } from '../rpc/pool.js';
import { currentFees } from '../transactions/fees.js';
import type { Deployment } from './addresses.js';
import type { DeploymentConfiguration } from './configuration.js';
import { deploymentSteps, publicAddresses, type Step } from './steps.js';

/** What a deployment that was interrupted goes on from. Written before the first transaction is sent. */
export type Progress = {
  readonly deployment: Deployment;
  readonly firstNonce: number;
  /** Of the configuration: what was begun with one is not finished with another. */
  readonly configuration: string;
};

export type DeployOptions = {
  readonly pool: RpcPool;
  readonly wallet: BaseWallet;
  readonly chainId: number;
  readonly configuration: DeploymentConfiguration;
  /** What an earlier run has kept. */
  readonly progress?: Progress;
  keep(progress: Progress): void;
  readonly log: (line: string) => void;
};

/** The chain holds something else than what this deployment would have made: nothing more is sent. */
export class DeploymentDiverged extends Error {
  override readonly name = 'DeploymentDiverged';
}

const maxFeeWei = 1_000_000_000_000n;
const creationGas = 6_000_000n;
const callGas = 200_000n;
const pollMs = 100;
/** For all transactions together. */
const minedWithinMs = 600_000;

/**
 * Sends what is missing of the deployment, and waits until the chain has all of it. Each step has one nonce, so that a
 * second run sends nothing twice. @throws DeploymentDiverged @throws ChainUnavailable
 */
export async function deploy(options: DeployOptions): Promise<Deployment> {
  const { pool, wallet, configuration, log } = options;
  const progress = options.progress ?? (await begin(options));
  const { deployment, firstNonce } = progress;
  await assertResumable(options, progress);
  const steps = await deploymentSteps(configuration, wallet.address, firstNonce);
  const done = (await nonceOf(pool, wallet.address)) - firstNonce;
  if (done < steps.length) log(`${steps.length - Math.max(0, done)} of ${steps.length} steps are left`);
  for (const [index, step] of steps.entries()) {
    if (index < done) continue;
    log(step.says);
    await send(options, step, firstNonce + index);
  }
  await untilMined(pool, wallet.address, firstNonce + steps.length);
  await assertPresent(pool, deployment);
  return deployment;
}

async function begin(options: DeployOptions): Promise<Progress> {
  const { pool, wallet, chainId, configuration } = options;
  const before = await firmBlock(pool);
  const firstNonce = await nonceOf(pool, wallet.address);
  const progress = {
    deployment: {
      chainId,
      before,
      deployer: wallet.address,
      contracts: publicAddresses(wallet.address, firstNonce),
    },
    firstNonce,
    configuration: fingerprint(configuration),
  };
  options.keep(progress);
  return progress;
}

/** A final one, where the nodes know: what came before the deployment must never turn out to be something else. */
async function firmBlock(pool: RpcPool): Promise<Deployment['before']> {
  type Header = { readonly number: string; readonly hash: string } | null;
  const read = async (tag: string) => (await pool.call('eth_getBlockByNumber', tag, false)) as Header;
  const final = await read('finalized').catch((error: unknown) => {
    if (!(error instanceof RpcRefused)) throw error;
    return null;
  });
  const { number, hash } = final ?? (await read('latest'))!;
  return { number: Number(number), hash };
}

async function assertResumable(
  options: DeployOptions,
  { deployment, configuration }: Progress,
): Promise<void> {
  const { chainId, before, deployer } = deployment;
  const problem = (what: string) => new DeploymentDiverged(`what was begun belongs to another ${what}`);
  if (chainId !== options.chainId) throw problem('chain');
  if (deployer !== options.wallet.address) throw problem('deployer');
  if (configuration !== fingerprint(options.configuration)) throw problem('configuration');
  const block = (await options.pool.call('eth_getBlockByNumber', hex(before.number), false)) as {
    readonly hash: string;
  } | null;
  if (block?.hash !== before.hash) throw problem('chain, or the chain has gone back behind it');
}

async function send({ pool, wallet, chainId }: DeployOptions, step: Step, nonce: number): Promise<void> {
  const { feeWei, tipWei } = await currentFees(pool, maxFeeWei);
  const { to, data } = step;
  const raw = await wallet.signTransaction({
    ...{ type: 2, chainId, nonce, data, value: 0n },
    ...(to === undefined ? { gasLimit: creationGas } : { to, gasLimit: callGas }),
    ...{ maxFeePerGas: feeWei, maxPriorityFeePerGas: tipWei },
  });
  try {
    await pool.call('eth_sendRawTransaction', raw);
  } catch (error) {
    // An earlier run may have sent it: then the nonce is waited for, and what is there is looked at.
    if (!(error instanceof RpcRefused) || !/known|nonce too low|underpriced|imported/i.test(error.message))
      throw error;
  }
}

async function untilMined(pool: RpcPool, account: string, nonce: number): Promise<void> {
  const deadline = performance.now() + minedWithinMs;
  while ((await nonceOf(pool, account)) < nonce) {
    if (performance.now() > deadline)
      throw new DeploymentDiverged(
        `the chain did not take all transactions in ${minedWithinMs} ms; run it again`,
      );
    await sleep(pollMs);
  }
}

/** A creation that was reverted leaves its address empty. */
async function assertPresent(pool: RpcPool, { contracts }: Deployment): Promise<void> {
  for (const [name, address] of Object.entries(contracts)) {
    const code = await pool.call('eth_getCode', address, 'latest');
    if (code === '0x') throw new DeploymentDiverged(`there is no ${name} at ${address}`);
  }
}

const nonceOf = async (pool: RpcPool, account: string): Promise<number> =>
  Number(await pool.call('eth_getTransactionCount', account, 'latest'));

const fingerprint = (configuration: DeploymentConfiguration): string =>
  digestOf(
    'sha256',
    JSON.stringify(configuration, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  );

const hex = (value: number): string => `0x${value.toString(16)}`;
