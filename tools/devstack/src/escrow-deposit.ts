import { setTimeout as sleep } from 'node:timers/promises';
import { readAddresses } from '@astro/chain/deployment/files';
import { fundsOf } from '@astro/chain/escrow/calls';
import { AstroToken__factory } from '@astro/chain/gen/factories/AstroToken__factory';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { RpcPool } from '@astro/chain/rpc/pool';
import { signStatement } from '@astro/chain/statements/wallet-statement';
import { walletFrom } from '@astro/chain/wallet';
import { anvilMnemonic } from './anvil/server.js';
import { localAddressOf, localWalletOf } from './local-wallets.js';
import type { Platform } from './platform.js';

/** Whose key it is, to the gateway. */
export type Owner = {
  readonly owner: 'tenant' | 'operator';
  readonly ownerId: string;
  readonly apiKey: string;
};

type Account = {
  readonly owner: 'tenant' | 'operator';
  readonly id: string;
  readonly availableAtto?: string;
};

/** Where a platform with a chain of its own is. */
export type Place = {
  readonly gatewayUrl: string;
  readonly chain: { readonly rpcUrl: string; readonly addressesFile: string };
};

/** Holds the liquidity of the local deployment, and can pay for transactions. */
export const localPayer = walletFrom(anvilMnemonic, 6).address;
/** So that a deposit does not take another one's allowance, made at the same time. */
export const unlimitedAllowance = 2n ** 256n - 1n;
const statementValidMs = 600_000;
const attemptsMax = 40;
const pollMs = 250;
const creditedWithinMs = 180_000;

/**
 * Money from the platform's own chain: the tenant links an address, somebody pays into its escrow, and billing credits
 * it when that is final. Resolves when it can be spent. Repeated, it pays nothing more.
 */
export async function payIn(
  platform: Platform,
  tenant: Omit<Owner, 'owner'>,
  amountAtto: bigint,
): Promise<void> {
  await platform.untilProtocolIsThere();
  await linkWallet(platform, { owner: 'tenant', ...tenant });
  await platform.state.once(`deposit-${tenant.ownerId}`, async () => {
    await ensureDeposit(platform, localAddressOf(tenant.ownerId), amountAtto);
    await untilCredited(platform, tenant.apiKey);
    return String(amountAtto);
  });
}

/** Links the owner's local address to its account, by a statement that the address signs. */
export async function linkWallet(at: Place, { owner, ownerId, apiKey }: Owner): Promise<void> {
  const { chainId } = readAddresses(at.chain.addressesFile);
  const wallet = localWalletOf(ownerId);
  const address = wallet.address.toLowerCase();
  const expiresAt = new Date(Math.floor((Date.now() + statementValidMs) / 1_000) * 1_000);
  const signature = await signStatement(wallet, { owner, ownerId, chainId, address, nonce: 0, expiresAt });
  const body = {
    chainId,
    address,
    nonce: 0,
    expiresAt: expiresAt.toISOString().replace('.000Z', 'Z'),
    signature,
  };
  await call(at, apiKey, '/v1/wallet', {
    ...{ method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  });
}

/** Pays into the escrow of an address: two transactions, an approval and the deposit. */
export async function deposit(at: Place, address: string, amountAtto: bigint): Promise<void> {
  const { contracts } = readAddresses(at.chain.addressesFile);
  const pool = new RpcPool(at.chain.rpcUrl.split(','));
  const send = (to: string, data: string) =>
    pool.call('eth_sendTransaction', { from: localPayer, to, data, gas: '0x7a120' });
  try {
    const approve = AstroToken__factory.createInterface();
    await send(
      contracts.token,
      approve.encodeFunctionData('approve', [contracts.escrow, unlimitedAllowance]),
    );
    const escrow = Escrow__factory.createInterface();
    await send(contracts.escrow, escrow.encodeFunctionData('deposit', [address, amountAtto]));
  } finally {
    pool.close();
  }
}

/** What a start that was interrupted has paid in is there. */
async function ensureDeposit(at: Place, address: string, amountAtto: bigint): Promise<void> {
  const pool = new RpcPool([at.chain.rpcUrl]);
  try {
    const { balanceAtto } = await fundsOf(pool, readAddresses(at.chain.addressesFile), address);
    if (balanceAtto < amountAtto) await deposit(at, address, amountAtto);
  } finally {
    pool.close();
  }
}

/** Whose key it is; of a tenant, what it can spend. */
export async function accountOf(at: Place, apiKey: string): Promise<Account> {
  return (await (await call(at, apiKey, '/v1/account')).json()) as Account;
}

async function untilCredited(at: Place, apiKey: string): Promise<void> {
  const deadline = Date.now() + creditedWithinMs;
  for (;;) {
    if (BigInt((await accountOf(at, apiKey)).availableAtto ?? 0) > 0n) return;
    if (Date.now() > deadline) throw new Error(`a deposit was not credited within ${creditedWithinMs} ms`);
    await sleep(pollMs);
  }
}

/** Whatever is called may be repeated, while a service, or the news of a key just made, is still on its way. */
async function call(at: Place, apiKey: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, authorization: `Bearer ${apiKey}` };
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`${at.gatewayUrl}${path}`, { ...init, headers });
    if (answer.ok) return answer;
    if ((answer.status < 500 && answer.status !== 401) || attempt === attemptsMax)
      throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    await sleep(pollMs);
  }
}
