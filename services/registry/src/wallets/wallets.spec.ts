import { expect, test } from '@jest/globals';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import { signStatement } from '@astro/chain/statements/wallet-statement';
import { walletFrom } from '@astro/chain/wallet';
import { specify } from '@astro/event-sourcing/specify';
import type { LinkWallet, WalletsCommand } from '@astro/messages/registry';
import { wallets } from './wallets.js';

const given = specify(wallets);
const [first, second] = [walletFrom(anvilMnemonic, 1), walletFrom(anvilMnemonic, 2)];

async function statement(
  wallet = first,
  changes: Partial<LinkWallet> = {},
): Promise<WalletsCommand & { readonly type: 'LinkWallet' }> {
  const said = {
    owner: 'tenant' as const,
    ownerId: 'tenant_1',
    chainId: 31_337,
    address: wallet.address.toLowerCase(),
    nonce: 0,
    expiresAt: new Date('2030-01-01T00:00:00Z'),
    ...changes,
  };
  return { type: 'LinkWallet', data: { signature: await signStatement(wallet, said), ...said } };
}
const linked = ({ data }: WalletsCommand) => ({ type: 'WalletLinked', data }) as const;

test('an address is linked by what it has signed', async () => {
  const command = await statement();
  given().when(command).then(linked(command));
});

test('a repeated link changes nothing', async () => {
  const command = await statement();
  given(linked(command)).when(command).thenNothing();
});

test('an address has one owner', async () => {
  const mine = await statement();
  const theirs = await statement(first, { ownerId: 'tenant_2' });
  given(linked(mine)).when(theirs).thenRejected('AddressIsLinked');
});

test('a tenant keeps its address', async () => {
  const mine = await statement();
  given(linked(mine))
    .when(await statement(second, { nonce: 1 }))
    .thenRejected('WalletIsFixed');
});

test('an operator takes another address, and its old statements serve no more', async () => {
  const operator = { owner: 'operator', ownerId: 'operator_1' } as const;
  const old = await statement(first, operator);
  const next = await statement(second, { ...operator, nonce: 1 });
  given(linked(old)).when(next).then(linked(next));
  given(linked(old), linked(next)).when(old).thenRejected('NonceIsUsed');
  const again = await statement(first, { ...operator, nonce: 2 });
  given(linked(old), linked(next)).when(again).then(linked(again));
});

test.each<[string, Partial<LinkWallet>]>([
  ['another owner', { ownerId: 'tenant_2' }],
  ['another kind of owner', { owner: 'operator' }],
  ['another chain', { chainId: 1 }],
  ['a later expiry', { expiresAt: new Date('2031-01-01T00:00:00Z') }],
  ['another address', { address: second.address.toLowerCase() }],
  ['no signature', { signature: '0x' }],
  ['a signature that is none', { signature: `0x${'7'.repeat(130)}` }],
])('a statement of %s is not signed', async (_title, changes) => {
  const { data } = await statement();
  given()
    .when({ type: 'LinkWallet', data: { ...data, ...changes } })
    .thenRejected('SignatureIsInvalid');
});

test('an address in another spelling is refused, so that it cannot be linked twice', async () => {
  const { data } = await statement();
  given()
    .when({ type: 'LinkWallet', data: { ...data, address: first.address } })
    .thenRejected('AddressIsInvalid');
  expect(first.address).not.toBe(data.address);
});
