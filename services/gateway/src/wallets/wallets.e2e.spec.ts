import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { anvilMnemonic } from '@astro/devstack/anvil/server';
import { signStatement } from '@astro/chain/statements/wallet-statement';
import { walletFrom } from '@astro/chain/wallet';
import { startGateway, type Answer, type GatewayUnderTest } from '../gateway.fixture.js';

const chainId = 31_337;
const [first, second] = [walletFrom(anvilMnemonic, 1), walletFrom(anvilMnemonic, 2)];
let gateway: GatewayUnderTest;
let tenant: { tenantId: string; apiKey: string };
let another: { tenantId: string; apiKey: string };

beforeAll(async () => {
  gateway = await startGateway({ CHAIN_ID: String(chainId) });
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('with a wallet');
  another = await administration.registerTenant('without one');
}, 120_000);
afterAll(() => gateway?.stop());

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString().replace(/\.\d+Z/, 'Z');

async function link(
  owner: { tenantId: string; apiKey: string },
  wallet = first,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  const said = { owner: 'tenant', ownerId: owner.tenantId, chainId, address: wallet.address, nonce: 0 };
  const expiresAt = inMs(60_000);
  const signature = await signStatement(wallet, { ...said, expiresAt: new Date(expiresAt) });
  const body = { chainId, address: wallet.address, nonce: 0, expiresAt, signature, ...changes };
  return gateway.call('PUT', '/v1/wallet', { key: owner.apiKey, body });
}

test('an address is linked by its signature, once, and to one account', async () => {
  const refused = await gateway.call('GET', '/v1/wallet', { key: tenant.apiKey });
  expect([refused.status, refused.json['code']]).toEqual([404, 'wallet_not_linked']);
  const address = first.address.toLowerCase();
  expect((await link(tenant)).json).toEqual({ chainId, address });
  expect((await link(tenant)).status).toBe(200);
  const { json } = await gateway.call('GET', '/v1/wallet', { key: tenant.apiKey });
  expect(json).toMatchObject({ chainId, address });

  const stolen = await link(another);
  expect([stolen.status, stolen.json['code']]).toEqual([409, 'wallet_conflict']);
  const moved = await link(tenant, second, { nonce: 1 });
  expect([moved.status, moved.json['code']]).toEqual([409, 'wallet_conflict']);
});

test('a statement that is late, of another chain or of another signer names its field', async () => {
  for (const [changes, field] of [
    [{ expiresAt: inMs(-1_000) }, 'expiresAt'],
    [{ expiresAt: inMs(48 * 3_600_000) }, 'expiresAt'],
    [{ chainId: 1 }, 'chainId'],
    [{ signature: `0x${'1'.repeat(130)}` }, 'signature'],
    [{ address: '0x12' }, 'address'],
  ] as const) {
    const { status, json } = await link(another, second, changes);
    expect([status, json['errors']]).toEqual([400, [expect.objectContaining({ field })]]);
  }
});

test('the statement to sign is what PUT wants to see signed', async () => {
  const query = `address=${second.address}&expiresAt=${inMs(60_000)}`;
  const { json } = await gateway.call('GET', `/v1/wallet/statement?${query}`, { key: another.apiKey });
  expect(json['message']).toMatchObject({ owner: 'tenant', ownerId: another.tenantId, nonce: 0 });
  const { domain, types, message } = json as unknown as {
    domain: object;
    types: Record<string, { name: string; type: string }[]>;
    message: { expiresAt: number };
  };
  const body = {
    ...{ chainId, address: second.address, nonce: 0 },
    expiresAt: new Date(message.expiresAt * 1_000).toISOString(),
    signature: await second.signTypedData(domain, types, message),
  };
  expect((await gateway.call('PUT', '/v1/wallet', { key: another.apiKey, body })).status).toBe(200);
});
