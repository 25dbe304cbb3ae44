import { setTimeout as sleep } from 'node:timers/promises';
import { readAddresses } from '@astro/chain/deployment/files';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { RpcPool } from '@astro/chain/rpc/pool';
import { signStatement } from '@astro/chain/statements/wallet-statement';
import { walletFrom } from '@astro/chain/wallet';
import { attoPerAstro } from '@astro/devstack/local-market';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import type { Platform } from '@astro/devstack/platform';
import type { Client } from './client.js';

/** What the gateway says of an escrow balance. */
export type EscrowBalance = {
  readonly asOfBlock: number;
  readonly final: boolean;
  readonly account: string;
  readonly balanceAtto: string;
};

/** Holds the liquidity of the local deployment, and can pay for transactions. */
const payer = walletFrom(anvilMnemonic, 6).address;
/** Of the client; it only signs. */
const clientWallet = walletFrom(anvilMnemonic, 10);
const statementValidMs = 600_000;
const finalWithinMs = 60_000;
const pollMs = 200;

export const clientAddress = clientWallet.address.toLowerCase();

export const paidInAtto = 250n * attoPerAstro;

/** Links the client's address, pays into its escrow, and waits until the platform has seen that as final. */
export async function payIn(platform: Platform, client: Client, tenantId: string): Promise<EscrowBalance> {
  await platform.untilChainIsReady();
  await linkWallet(client, tenantId, readAddresses(platform.chain.addressesFile).chainId);
  await deposit(platform, paidInAtto);
  return untilFinal(client, tenantId);
}

/** Links an address to the client's account, by a statement that the address signs. */
export async function linkWallet(client: Client, tenantId: string, chainId: number): Promise<void> {
  const expiresAt = new Date(Math.floor((Date.now() + statementValidMs) / 1_000) * 1_000);
  const said = { owner: 'tenant', ownerId: tenantId, chainId, address: clientAddress, nonce: 0, expiresAt };
  const signature = await signStatement(clientWallet, said);
  const link = { chainId, address: clientAddress, nonce: 0, signature };
  await client.putJson('/v1/wallet', { ...link, expiresAt: expiresAt.toISOString().replace('.000Z', 'Z') });
}

/** Pays into the escrow of the client's address: two transactions, an approval and the deposit. */
export async function deposit(platform: Platform, amountAtto: bigint): Promise<void> {
  const { rpcUrl, addressesFile } = platform.chain;
  const { contracts } = readAddresses(addressesFile);
  const pool = new RpcPool([rpcUrl]);
  const send = (to: string, data: string) =>
    pool.call('eth_sendTransaction', { from: payer, to, data, gas: '0x7a120' });
  try {
    const approve = AstroToken__factory.createInterface();
    await send(contracts.token, approve.encodeFunctionData('approve', [contracts.escrow, amountAtto]));
    const escrow = Escrow__factory.createInterface();
    await send(contracts.escrow, escrow.encodeFunctionData('deposit', [clientAddress, amountAtto]));
  } finally {
    pool.close();
  }
}

/** The client's escrow, once a deposit is seen and nothing can take it back. */
export async function untilFinal(client: Client, tenantId: string): Promise<EscrowBalance> {
  const deadline = Date.now() + finalWithinMs;
  for (;;) {
    const balance = await client.json<EscrowBalance>(`/v1/chain/escrow/${tenantId}`);
    if (balance.final && balance.balanceAtto !== '0') return balance;
    if (Date.now() > deadline)
      throw new Error(`a deposit was not final within ${finalWithinMs} ms: ${JSON.stringify(balance)}`);
    await sleep(pollMs);
  }
}
