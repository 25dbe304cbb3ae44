import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchIdOf, claimsOf, contentOf, treeOf, type FeeTerms } from '@astro/billing/settlement/batch';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { deploy } from '@astro/chain/deployment/deploy';
import { claimCall, settleCall } from '@astro/chain/escrow/calls';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { isProven } from '@astro/chain/payouts/tree';
import { RpcPool } from '@astro/chain/rpc/pool';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic, localChainId, startAnvil } from '@astro/devstack/anvil/server';
import { repositoryRoot } from '@astro/devstack/repository';
import type { Share } from '@astro/messages/billing';
import type { Benchmark } from './benchmark.js';
import { rounded } from './measure.js';

const largest = 10_000;
/** Several blocks of a local chain can have the same second, and the contract wants one that is over. */
const secondsApart = 60;
const sizes = [1, 10, 100, 1_000, largest];
const terms: FeeTerms = { feeBps: 250, burnBps: 2_000 };
const tenantId = 'tenant_1';
const tenant = walletFrom(anvilMnemonic, 2).address.toLowerCase();
/** Accounts of the local deployment: who holds tokens, and who may settle. */
const liquidity = walletFrom(anvilMnemonic, 6).address;
const settler = walletFrom(anvilMnemonic, 1).address;
const netAtto = 975n * 10n ** 18n;

/** One tenant's work by as many operators: the batch, every proof, and every proof checked. */
export const settlement: Benchmark = {
  measures: 'a settlement batch of 10,000 payouts built, proven and verified; gas of a payout by batch size',
  async run(folder, progress) {
    const startedMs = performance.now();
    const { tree, claims } = batchOf(1, largest);
    const proofs = claims.map(({ index }) => tree.proofOf(index));
    const refused = claims.filter((claim, index) => !isProven(tree.root, claim, proofs[index]!));
    const batch10kSeconds = (performance.now() - startedMs) / 1_000;
    if (refused.length > 0) throw new Error(`${refused.length} payouts are not proven`);
    progress(`${largest} payouts in ${batch10kSeconds.toFixed(2)} s`);
    return { batch10kSeconds: rounded(batch10kSeconds, 2), ...(await gasOf(folder, progress)) };
  },
};

function batchOf(number: number, payouts: number) {
  const shares: Share[] = Array.from({ length: payouts }, (_, index) => ({
    ...{ tenantId, operatorId: `operator_${index}`, netAtto, feeAtto: netAtto / 39n, ...terms },
    burnedAtto: netAtto / 39n / 5n,
  }));
  const address = (index: number) => `0x${(0x10000 + index).toString(16).padStart(40, '0')}`;
  const operators = shares.map(({ operatorId }, index) => [operatorId, address(index)] as const);
  const batchId = batchIdOf(localChainId, number);
  const content = contentOf(shares, terms, new Map([[tenantId, tenant], ...operators]));
  const claims = claimsOf(batchId, content.payouts);
  return { batchId, content, claims, tree: treeOf(batchId, content.payouts) };
}

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
