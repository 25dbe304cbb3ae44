import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { Offer } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { startGateway, until, type GatewayUnderTest } from '../gateway.fixture.js';
import { quote } from './quotes.schema.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let apiKey: string;
const astro = 10n ** 18n;
/** 1 ASTRO an hour, and no fraction of a base unit in any price that follows from it. */
const pricePerSecondAtto = (astro / 3_600n / 1_000n) * 1_000n;

beforeAll(async () => {
  gateway = await startGateway({
    ASTRO_USD_RATE: '2',
    ASTRO_USD_RATE_OBSERVED_ON: '2026-01-02',
    ASTRO_USD_RATE_SOURCE: 'the rate of this spec',
  });
  ({ apiKey } = await gateway.platform.administration().registerTenant('a tenant'));
  await until(
    () => gateway.call('GET', '/v1/account', { key: apiKey }),
    ({ status }) => status === 200,
  );
  await admit();
});
afterAll(() => gateway?.stop());

const gpu = { kind: 'gpu', vendor: 'NVIDIA', model: 'A100', memoryMib: 40_960, ...plainDevice } as const;
const offer: Offer = {
  nodeId: newId('node'),
  operatorId: newId('operator'),
  region: 'de-fra',
  pricePerSecondAtto,
  inventory: {
    devices: [gpu, gpu, gpu, gpu],
    cpuMillis: 8_000,
    memoryMib: 262_144,
    diskMib: 1_024,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  ...plainOffer,
};

/** As the pool hears of a node that has come online. */
async function admit(): Promise<void> {
  const commands = new CommandBus(await gateway.platform.connectBus(), `visitor-${newId('req')}`);
  const to = { type: 'scheduling.pool', id: 'main' } as const;
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:test' };
  const command = { to, type: 'AdmitNode', data: { poolId: 'main', offer } } as const;
  const outcome = await commands.request(command, { id: newId('cmd'), metadata, timeoutMs: 60_000 });
  expect(outcome).toMatchObject({ accepted: true, changed: true });
}

const ask = (query: string) => gateway.call('GET', `/v1/quotes?${query}`, { key: apiKey });

test('a quote has the three prices of the market, and the saving with its sources', async () => {
  const { status, json } = await until(
    () => ask('gpu=A100&count=2&hours=24'),
    answer => answer.status !== 503,
  );
  expect(status).toBe(200);
  const { onDemand, interruptible, reserved, comparison, surgeThousandths } = quote.parse(json);
  expect(surgeThousandths).toBe(1_000);
  const pair = 2n * pricePerSecondAtto;
  expect(onDemand).toMatchObject({ isAvailable: true, pricePerSecondAtto: String(pair), eligibleNodes: 1 });
  expect(onDemand.costAtto).toBe(String(pair * 86_400n));
  expect(interruptible.pricePerSecondAtto).toBe(String(pair / 2n));
  expect(reserved.pricePerSecondAtto).toBe(String((pair * 5n) / 4n));
  expect(comparison.rate).toEqual({
    usdPerAstro: '2',
    observedOn: '2026-01-02',
    source: 'the rate of this spec',
  });
  // 48 GPU hours at p4d.24xlarge's 32.773 for eight are 196.638; here about 48 ASTRO, so 96 US dollars.
  const aws = comparison.listPrices.find(({ instance }) => instance === 'p4d.24xlarge');
  expect(aws).toMatchObject({
    costUsd: '196.638000',
    isOlderThanAYear: true,
    observedOn: '2024-09-28',
    savedThousandths: { onDemand: 511, interruptible: 755, reserved: 389 },
  });
});

test('what cannot be had has no price, and what nobody lists is not compared', async () => {
  const five = quote.parse((await ask('gpu=A100&count=5&hours=1')).json);
  expect(five.onDemand).toEqual({ isAvailable: false, eligibleNodes: 0 });
  expect(five.comparison.listPrices[0]?.savedThousandths).toEqual({});
  const unknown = quote.parse((await ask('gpu=MI300X')).json);
  expect(unknown).toMatchObject({
    count: 1,
    hours: 1,
    comparison: { status: 'no_list_price', listPrices: [] },
  });
});

test.each([
  ['count=0&gpu=A100', 'count'],
  ['count=1.5&gpu=A100', 'count'],
  ['hours=-1&gpu=A100', 'hours'],
  ['hours=8761&gpu=A100', 'hours'],
  ['gpu=', 'gpu'],
  ['gpu=A100&currency=USD', 'currency'],
])('%s is refused, and %s is named', async (query, field) => {
  const refused = await ask(query);
  expect([refused.status, refused.json['code']]).toEqual([400, 'request_invalid']);
  expect(refused.json['errors']).toEqual([expect.objectContaining({ field })]);
});
