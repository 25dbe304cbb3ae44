import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { Offer } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startGateway, until, type GatewayUnderTest } from '../gateway.fixture.js';
import { reservation, reservationPlan } from '../reservations/reservations.schema.js';
import { quote } from './quotes.schema.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let apiKey: string;
let tenantId: string;
let stranger: string;
const astro = 10n ** 18n;
/** 1 ASTRO an hour, and no fraction of a base unit in any price that follows from it. */
const creditAtto = 100n * astro;
const pricePerSecondAtto = (astro / 3_600n / 1_000n) * 1_000n;

beforeAll(async () => {
  gateway = await startGateway({
    ASTRO_USD_RATE: '2',
    ASTRO_USD_RATE_OBSERVED_ON: '2026-01-02',
    ASTRO_USD_RATE_SOURCE: 'the rate of this spec',
  });
  const administration = gateway.platform.administration();
  ({ apiKey, tenantId } = await administration.registerTenant('a tenant'));
  ({ apiKey: stranger } = await administration.registerTenant('another tenant'));
  await administration.credit(tenantId, creditAtto);
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

describe('a reservation', () => {
  const HOUR_MS = 3_600_000;
  const inHours = (hours: number) =>
    new Date(Math.ceil(Date.now() / 1_000) * 1_000 + hours * HOUR_MS).toISOString();
  const requirements = {
    deviceKind: 'gpu',
    deviceModel: 'A100',
    deviceCount: 2,
    cpuMillis: 100,
    memoryMib: 1,
    maxPricePerSecondAtto: String(astro),
  };
  const request = (changes: object = {}) => ({
    requirements,
    startsAt: inHours(2),
    endsAt: inHours(4),
    ...changes,
  });
  const post = (path: string, body: unknown, key = apiKey, headers = {}) =>
    gateway.call('POST', `/v1/reservations${path}`, { key, body, headers });
  const read = (id: string, key = apiKey) => gateway.call('GET', `/v1/reservations/${id}`, { key });
  const untilAvailable = (amountAtto: bigint) =>
    until(
      () => gateway.call('GET', '/v1/balance', { key: apiKey }),
      ({ json }) => json['availableAtto'] === String(amountAtto),
    );
  const untilStatus = (id: string, status: string) =>
    until(
      () => read(id),
      ({ json }) => json['status'] === status,
    );

  test('costs what its plan and the quote say, is held, and is all given back when cancelled in time', async () => {
    const { reserved } = quote.parse((await ask('gpu=A100&count=2&hours=2')).json);
    const plan = reservationPlan.parse((await post('/plan', request())).json);
    expect(plan.units.map(unit => unit.pricePerSecondAtto)).toEqual([reserved.pricePerSecondAtto]);
    expect(plan.amountAtto).toBe(reserved.costAtto);

    const body = request();
    const made = await post('', body, apiKey, { 'idempotency-key': 'reserve' });
    expect([made.status, made.headers.get('location')]).toEqual([
      201,
      `/v1/reservations/${String(made.json['id'])}`,
    ]);
    const { id, amountAtto, units } = reservation.parse(made.json);
    expect([amountAtto, units]).toEqual([plan.amountAtto, plan.units]);
    expect((await post('', body, apiKey, { 'idempotency-key': 'reserve' })).json['id']).toBe(id);
    await untilStatus(id, 'confirmed');
    await untilAvailable(creditAtto - BigInt(amountAtto));

    const more = await post('', request({ requirements: { ...requirements, deviceCount: 3 } }));
    expect([more.status, more.json['code']]).toEqual([409, 'capacity_unavailable']);
    expect(more.json['detail']).toBe('no room for the unit; of 1 nodes 1 could hold one');

    for (const { status, json } of [
      await read(id, stranger),
      await post(`/${id}/cancel`, undefined, stranger),
    ])
      expect([status, json['code']]).toEqual([404, 'reservation_not_found']);
    const list = await gateway.call('GET', '/v1/reservations?status=confirmed', { key: apiKey });
    expect(list.json['items']).toMatchObject([{ id, status: 'confirmed' }]);

    const cancelled = reservation.parse((await post(`/${id}/cancel`, undefined)).json);
    expect(cancelled).toMatchObject({ status: 'ended', reason: 'cancelled', chargedAtto: '0' });
    await untilAvailable(creditAtto);
    expect((await post(`/${id}/cancel`, undefined)).status).toBe(200);
  });

  test('that its tenant cannot pay ends, and keeps nothing', async () => {
    const { id } = reservation.parse((await post('', request({ endsAt: inHours(80) }), stranger)).json);
    const { json } = await until(
      () => read(id, stranger),
      answer => answer.json['status'] === 'ended',
    );
    expect(json['reason']).toBe('insufficient_funds');
    const plan = reservationPlan.parse((await post('/plan', request({ units: 2 }))).json);
    expect(plan.isAvailable).toBe(true);
  });

  test('of a model that nobody has, or at a price that nobody takes, is refused with the rule', async () => {
    const refused = await post('', request({ requirements: { ...requirements, deviceModel: 'MI300X' } }));
    expect([refused.status, refused.json['code']]).toEqual([409, 'capacity_unavailable']);
    expect(refused.json['detail']).toMatch(/deviceModel excludes 1/);
    const cheap = await post('', request({ requirements: { ...requirements, maxPricePerSecondAtto: '1' } }));
    expect(cheap.json['detail']).toMatch(/priceCap excludes 1/);
  });

  test.each<[string, object]>([
    ['units', { units: 0 }],
    ['units', { units: -1 }],
    ['units', { units: 1.5 }],
    ['units', { units: null }],
    ['units', { units: 2 ** 64 - 1 }],
    ['endsAt', { endsAt: '2020-01-01T00:00:00Z', startsAt: '2020-01-02T00:00:00Z' }],
    ['endsAt', { endsAt: 'tomorrow' }],
    ['endsAt', { endsAt: undefined }],
    ['startsAt', { startsAt: '2020-01-01T00:00:00Z' }],
    ['startsAt', { startsAt: '0001-01-01T00:00:00Z' }],
    ['startsAt', { startsAt: '2020-01-01T00:00:00.001Z' }],
    ['startsAt', { startsAt: '9999-01-01T00:00:00Z', endsAt: '9999-01-02T00:00:00Z' }],
    ['endsAt', { endsAt: '9999-01-01T00:00:00Z' }],
    ['topology', { topology: 'planet' }],
    ['topology', { topology: 'node', units: 2, distinctOperators: true }],
    ['tenantId', { tenantId: 'tenant_x' }],
    ['requirements.cpuMillis', { requirements: { ...requirements, cpuMillis: 0 } }],
    ['requirements.deviceCount', { requirements: { ...requirements, deviceCount: 65 } }],
  ])('is refused, and %s is named: %j', async (field, changes) => {
    for (const path of ['', '/plan']) {
      const refused = await post(path, request(changes));
      expect([refused.status, refused.json['code']]).toEqual([400, 'request_invalid']);
      expect(refused.json['errors']).toEqual(expect.arrayContaining([expect.objectContaining({ field })]));
    }
  });

  test('that is none is not found', async () => {
    for (const id of [newId('booking'), newId('job'), 'x'])
      expect((await read(id)).json['code']).toBe('reservation_not_found');
    expect((await post(`/${newId('booking')}/cancel`, undefined)).json['code']).toBe('reservation_not_found');
  });
});
