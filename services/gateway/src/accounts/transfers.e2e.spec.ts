import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@astro/event-sourcing/ids';
import { startGateway, type Answer, type GatewayUnderTest } from '../gateway.fixture.js';

type Tenant = { readonly tenantId: string; readonly apiKey: string };
let gateway: GatewayUnderTest;
let giver: Tenant;
let receiver: Tenant;

beforeAll(async () => {
  gateway = await startGateway();
  const administration = gateway.platform.administration();
  giver = await administration.registerTenant('a giver');
  receiver = await administration.registerTenant('a receiver');
  await administration.credit(giver.tenantId, 1_000n);
  await until(
    () => balanceOf(giver),
    ({ json }) => json['availableAtto'] === '1000',
  );
}, 120_000);
afterAll(() => gateway.stop());

const get = (path: string, { apiKey: key }: Tenant) => gateway.call('GET', path, { key });
const balanceOf = (tenant: Tenant, asOf?: number) =>
  get(`/v1/balance${asOf === undefined ? '' : `?asOf=${asOf}`}`, tenant);
const give = (body: object, idempotencyKey = newId('key')) =>
  gateway.call('POST', '/v1/transfers', {
    key: giver.apiKey,
    body: { toTenantId: receiver.tenantId, amountAtto: '300', ...body },
    headers: { 'idempotency-key': idempotencyKey },
  });

async function until(ask: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> {
  for (const deadline = Date.now() + 20_000; ;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`it stays ${answer.status} ${answer.text}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

test('money that is given can be spent by the receiver, once, and stands in both statements', async () => {
  const key = newId('key');
  const given = await give({}, key);
  expect(given.status).toBe(201);
  expect(given.json).toMatchObject({ toTenantId: receiver.tenantId, amountAtto: '300' });
  expect((await give({}, key)).json).toEqual(given.json);
  await until(
    () => balanceOf(receiver),
    ({ json }) => json['availableAtto'] === '300',
  );
  const nothing = { reservedAtto: '0', incomingAtto: '0', withdrawingAtto: '0', owedAtto: '0' };
  expect((await balanceOf(receiver)).json).toEqual({ availableAtto: '300', ...nothing });
  expect((await balanceOf(giver)).json).toEqual({ availableAtto: '700', ...nothing });

  const entriesOf = async (path: string, tenant: Tenant) =>
    (await get(path, tenant)).json['items'] as Record<string, unknown>[];
  await until(
    () => get('/v1/statement', receiver),
    ({ json }) => (json['items'] as unknown[]).length === 1,
  );
  const [sent, credited] = await entriesOf('/v1/statement', giver);
  expect(sent).toMatchObject({ kind: 'FundsTransferred', amountAtto: '-300', balanceAtto: '700' });
  expect(credited).toMatchObject({ kind: 'AccountCredited', amountAtto: '1000', balanceAtto: '1000' });
  const incoming = await entriesOf('/v1/statement?account=incoming', receiver);
  expect(incoming.map(({ amountAtto, balanceAtto }) => [amountAtto, balanceAtto])).toEqual([
    ['-300', '0'],
    ['300', '300'],
  ]);
  const first = await get('/v1/statement?limit=1', giver);
  const next = await get(`/v1/statement?limit=1&cursor=${String(first.json['nextCursor'])}`, giver);
  expect(next.json['items']).toEqual([credited]);

  const { position } = credited as { position: number };
  expect((await balanceOf(giver, position)).json).toMatchObject({ asOf: position, availableAtto: '1000' });
  expect((await balanceOf(giver, position - 1)).json).toMatchObject({ availableAtto: '0' });
  const later = await balanceOf(giver, 1_000_000_000);
  expect([later.status, later.json['code']]).toEqual([409, 'position_not_reached']);
});

test.each<[string, Record<string, unknown>, number, string, string | undefined]>([
  ['zero', { amountAtto: '0' }, 400, 'request_invalid', 'amountAtto'],
  ['a negative amount', { amountAtto: '-1' }, 400, 'request_invalid', 'amountAtto'],
  ['a fraction', { amountAtto: '1.5' }, 400, 'request_invalid', 'amountAtto'],
  ['a JSON number', { amountAtto: 5 }, 400, 'request_invalid', 'amountAtto'],
  ['more than 256 bits', { amountAtto: String(2n ** 256n) }, 400, 'request_invalid', 'amountAtto'],
  ['another currency', { currency: 'USD' }, 400, 'request_invalid', 'currency'],
  ['no id of a tenant', { toTenantId: 'nobody' }, 400, 'request_invalid', 'toTenantId'],
  ['an unknown receiver', { toTenantId: newId('tenant') }, 422, 'receiver_not_found', 'toTenantId'],
  ['more than there is', { amountAtto: '100000' }, 409, 'funds_insufficient', undefined],
])('a transfer of or to %s is refused, and moves nothing', async (_what, body, status, code, field) => {
  const before = (await balanceOf(giver)).json;
  const refused = await give(body);
  expect([refused.status, refused.json['code']]).toEqual([status, code]);
  if (field !== undefined) expect(refused.json['errors']).toEqual([expect.objectContaining({ field })]);
  expect((await balanceOf(giver)).json).toEqual(before);
});

test('a transfer to oneself is refused', async () => {
  const refused = await give({ toTenantId: giver.tenantId });
  expect([refused.status, refused.json['code']]).toEqual([400, 'request_invalid']);
  expect(refused.json['errors']).toEqual([expect.objectContaining({ field: 'toTenantId' })]);
});
