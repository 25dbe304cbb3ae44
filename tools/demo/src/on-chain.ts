import { setTimeout as sleep } from 'node:timers/promises';
import { readAddresses } from '@astro/chain/deployment/files';
import { claimPayout, readProof } from '@astro/chain/escrow/claim';
import { finalBlock, liabilitiesAt } from '@astro/chain/escrow/calls';
import { RpcPool } from '@astro/chain/rpc/pool';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import type { Platform } from '@astro/devstack/platform';
import type { EventStore } from '@astro/jetstream/event-store';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { chargesIn, settledIn } from './charges.js';
import { Client } from './client.js';
import type { Market } from './market.js';
import { astro, type Story } from './story.js';

/** What the gateway says of an escrow balance. */
export type EscrowBalance = {
  readonly asOfBlock: number;
  readonly final: boolean;
  readonly account: string;
  readonly balanceAtto: string;
};

type Payout = { readonly id: string; readonly amountAtto: string; readonly status: string };

/** Whoever sends a claim pays its gas, and has no other part in it: the payout goes to its own address. */
const anybody = walletFrom(anvilMnemonic, 9);
const withinMs = 120_000;
const pollMs = 200;

/** The escrow of a tenant, once a deposit is seen and nothing can take it back. */
export async function untilFinal(client: Client, tenantId: string): Promise<EscrowBalance> {
  return until('a deposit was not final', async () => {
    const balance = await client.json<EscrowBalance>(`/v1/chain/escrow/${tenantId}`);
    return balance.final && balance.balanceAtto !== '0' ? balance : undefined;
  });
}

/** Claims the first payout of any operator that a settled batch holds, by the proof that the gateway answers. */
export async function claimFirstPayout(
  platform: Platform,
  { operators, operatorKeys }: Pick<Market, 'operators' | 'operatorKeys'>,
  story: Story,
  signal: AbortSignal,
): Promise<void> {
  const deployment = readAddresses(platform.chain.addressesFile);
  const clients = [...operatorKeys].map(
    ([operatorId, key]) => [operatorId, new Client(platform.gatewayUrl, key, signal)] as const,
  );
  const pool = new RpcPool([platform.chain.rpcUrl]);
  try {
    const [operatorId, client, payout] = await until('no batch was settled', async () => {
      for (const [operatorId, client] of clients) {
        const { items } = await client.json<{ readonly items: readonly Payout[] }>('/v1/payouts');
        const payout = items.find(({ status }) => status === 'claimable');
        if (payout) return [operatorId, client, payout] as const;
      }
      return undefined;
    });
    const proof = readProof(await client.json<unknown>(`/v1/payouts/${payout.id}/proof`));
    await claimPayout(pool, deployment, anybody, proof);
    const amount = astro(BigInt(payout.amountAtto));
    story.step(
      `${operators.get(operatorId)} was paid ${amount} ASTRO on the chain, by the proof of its payout`,
    );
  } finally {
    pool.close();
  }
}

/** Resolves when the chain has settled every charge for good, and what was claimed is recorded. */
export async function untilAllIsSettled(store: EventStore, tenantId: string, chainId: number): Promise<void> {
  await until('not every charge was settled', async () => {
    const account = await store.load({ type: 'billing.account', id: tenantId });
    const settlement = await store.load({ type: 'billing.settlement', id: String(chainId) });
    const { chargedAtto } = chargesIn(account.map(({ event }) => event as AccountEvent));
    const { settledAtto, claims } = settledIn(settlement.map(({ event }) => event as SettlementEvent));
    return settledAtto === chargedAtto && claims.length > 0 ? true : undefined;
  });
}

/** What Escrow holds for tenants and payouts, at the last final block. */
export async function heldByEscrow(platform: Platform) {
  const pool = new RpcPool([platform.chain.rpcUrl]);
  try {
    const { number } = await finalBlock(pool, undefined);
    const deployment = readAddresses(platform.chain.addressesFile);
    const { depositsAtto, unclaimedAtto } = await liabilitiesAt(pool, deployment, number);
    return { finalBlock: number, escrowAtto: depositsAtto + unclaimedAtto };
  } finally {
    pool.close();
  }
}

async function until<T>(otherwise: string, read: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + withinMs; ;) {
    const found = await read();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${withinMs} ms`);
    await sleep(pollMs);
  }
}
