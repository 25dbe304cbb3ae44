import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { claimCall, settleCall } from '@astro/chain/escrow/calls';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { RpcPool } from '@astro/chain/rpc/pool';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic, localChainId, startAnvil } from '@astro/devstack/anvil/server';
import { repositoryRoot } from '@astro/devstack/repository';
import type { Benchmark } from './benchmark.js';
import { batch10kSeconds, batchOf, largest, tenant } from './ledger/batch.js';

/** Several blocks of a local chain can have the same second, and the contract wants one that is over. */
const secondsApart = 60;
const sizes = [1, 10, 100, 1_000, largest];
/** Accounts of the local deployment: who holds tokens, and who may settle. */
const liquidity = walletFrom(anvilMnemonic, 6).address;
const settler = walletFrom(anvilMnemonic, 1).address;

export const settlement: Benchmark = {
  measures: 'a settlement batch of 10,000 payouts built, proven and verified; gas of a payout by batch size',
  async run(folder, progress) {
    return { batch10kSeconds: batch10kSeconds(progress), ...(await gasOf(folder, progress)) };
  },
};

/** On the real contract: what the settlement costs, and one claim of each batch, as the receipts tell. */
async function gasOf(folder: string, progress: (line: string) => void) {
  const anvil = await startAnvil({ dir: join(folder, 'anvil') });
  const pool = new RpcPool([anvil.url]);
  try {
    const json: unknown = JSON.parse(readFileSync(join(repositoryRoot, 'deploy/chain/local.json'), 'utf8'));
    const deployment = await deploy({
      ...{ pool, chainId: localChainId, wallet: walletFrom(anvilMnemonic, 0) },
      ...{ configuration: readConfiguration(json), keep: () => undefined, log: () => undefined },
    });
    await payIn(pool, deployment, sizes.reduce((sum, size) => sum + BigInt(size), 0n) * 1_000n * 10n ** 18n);
    const chargedAt = await headTime(pool);
    await pool.call('evm_increaseTime', secondsApart);
    await pool.call('evm_mine');
    const rows: Record<string, number> = {};
    for (const [index, size] of sizes.entries()) {
      const { batchId, content, claims, tree } = batchOf(index + 1, size);
      const { debits, netAtto: net } = content;
      const call = settleCall(deployment, {
        batch: bytes32Of(batchId),
        root: tree.root,
        net,
        chargedAt,
        debits,
      });
      const settleGas = await send(pool, settler, call);
      let claimGas = 0;
      // The first claim pays for a word of the map of what was claimed, which 255 others use as well.
      for (const place of new Set([0, Math.min(1, size - 1)]))
        claimGas = await send(pool, liquidity, claimCall(deployment, claims[place]!, tree.proofOf(place)));
      rows[`gasPerPayoutOf${size}`] = Math.round(settleGas / size + claimGas);
      progress(`${size} payouts: ${settleGas} gas to settle them, ${claimGas} to claim one of them`);
    }
    return rows;
  } finally {
    pool.close();
    await anvil.stop();
  }
}

const escrow = Escrow__factory.createInterface();
const token = AstroToken__factory.createInterface();

async function payIn(pool: RpcPool, { contracts }: Deployment, amountAtto: bigint): Promise<void> {
  const approve = token.encodeFunctionData('approve', [contracts.escrow, amountAtto]);
  await send(pool, liquidity, { to: contracts.token, data: approve });
  const deposit = escrow.encodeFunctionData('deposit', [tenant, amountAtto]);
  await send(pool, liquidity, { to: contracts.escrow, data: deposit });
}

/** More than anything here takes. */
const gas = '0x1000000';

/** @returns the gas that it took */
async function send(
  pool: RpcPool,
  from: string,
  call: { readonly to: string; readonly data: string },
): Promise<number> {
  const { to, data } = call;
  const hash = await pool.call('eth_sendTransaction', { from, to, data, gas });
  for (;;) {
    const receipt = (await pool.call('eth_getTransactionReceipt', hash)) as {
      readonly status: string;
      readonly gasUsed: string;
    } | null;
    if (receipt && Number(receipt.status) !== 1) throw new Error(`${String(hash)} was reverted`);
    if (receipt) return Number(receipt.gasUsed);
    await sleep(20);
  }
}

async function headTime(pool: RpcPool): Promise<Date> {
  const block = (await pool.call('eth_getBlockByNumber', 'latest', false)) as { readonly timestamp: string };
  return new Date(Number(block.timestamp) * 1_000);
}
