import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { flawsOf, invoiceSchema } from '@astro/archive/invoice/invoice';
import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { AccountCommand } from '@astro/messages/billing';
import { invoiceIdOf, monthOf } from '@astro/messages/invoice-month';
import {
  cidOf,
  startGateway,
  until,
  type Answer,
  type CallOptions,
  type GatewayUnderTest,
} from '../gateway.fixture.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let commands: CommandBus;
let tenant: { readonly tenantId: string; readonly apiKey: string };
let rival: { readonly operatorId: string; readonly apiKey: string };
let operator: { readonly operatorId: string; readonly apiKey: string };
let other: { readonly tenantId: string; readonly apiKey: string };

const nodeId = newId('node');

beforeAll(async () => {
  gateway = await startGateway();
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('a spender');
  other = await administration.registerTenant('a bystander');
  operator = await administration.registerOperator('an earner');
  rival = await administration.registerOperator('a rival');
  await administration.credit(tenant.tenantId, 100_000n);
  commands = new CommandBus(await gateway.platform.connectBus('spender'), 'spender');
}, 120_000);
afterAll(() => gateway?.stop());

const forecast = () => gateway.call('GET', '/v1/balance/forecast', { key: tenant.apiKey });
async function send({ type, data }: AccountCommand): Promise<void> {
  const outcome = await commands.request(
    { to: { type: 'billing.account', id: tenant.tenantId }, type, data },
    {
      id: newId('cmd'),
      metadata: { correlationId: newId('req'), causationId: newId('req'), actor: 'service:spec' },
      timeoutMs: 10_000,
    },
  );
  expect(outcome?.accepted).toBe(true);
}

test('what was charged tells when the money will be gone', async () => {
  const idle = await until(forecast, ({ json }) => json['fundsAtto'] === '100000');
  expect(idle.json).toEqual({
    ...{ at: expect.any(String), fundsAtto: '100000', perHourAtto: '0', basis: 'none' },
  });
  const about = { tenantId: tenant.tenantId, jobId: newId('job') };
  await send({ type: 'ReserveFunds', data: { ...about, amountAtto: 50_000n } });
  const work = {
    ...{ leaseId: newId('lease'), nodeId, operatorId: operator.operatorId },
    ...{ fault: 'none' as const, digest: 'd'.repeat(64), outputs: [] },
    ...{ meteredMs: 10_000, pricePerSecondAtto: 1_000n },
  };
  const taskId = newId('task');
  await send({ type: 'ChargeTask', data: { ...about, taskId, work: [work], feeBps: 250, burnBps: 2_000 } });
  // Balances and what was spent are two read models. What is reserved is still the tenant's.
  const isTold = (told: Record<string, unknown>) =>
    told['basis'] === 'last_hour' && told['fundsAtto'] === '90000';
  const { json } = await until(forecast, answer => isTold(answer.json));
  // Of the hour there are up to ten minutes more.
  expect(Number(json['perHourAtto'])).toBeGreaterThan(8_500);
  expect(Number(json['perHourAtto'])).toBeLessThanOrEqual(10_000);
  expect(Number(json['emptyInSeconds'])).toBeGreaterThanOrEqual(9 * 3_600);
  expect(Number(json['emptyInSeconds'])).toBeLessThan(10.6 * 3_600);
  const left = Date.parse(json['emptyAt'] as string) - Date.parse(json['at'] as string);
  expect(Math.floor(left / 1_000)).toBe(json['emptyInSeconds']);
}, 60_000);

describe('an invoice', () => {
  const month = monthOf(new Date());
  const call = (method: string, path: string, options: CallOptions = {}) =>
    gateway.call(method, path, { key: tenant.apiKey, ...options });
  const draft = () => call('POST', '/v1/invoices', { body: { month } });

  test('of the month so far is drafted when the tenant asks, and verified as it is answered', async () => {
    const drafted = await draft();
    expect(drafted.status).toBe(201);
    const { id, root } = drafted.json as { id: string; root: string };
    expect(drafted.json).toMatchObject({
      ...{ id: `${invoiceIdOf(tenant.tenantId, month)}-1`, status: 'draft', month, charges: 1 },
      ...{ number: expect.stringMatching(/-D1$/), totalAtto: '10000', feeAtto: '250', meteredMs: 10_000 },
    });
    expect(drafted.headers.get('location')).toBe(`/v1/invoices/${id}`);
    expect((await call('GET', '/v1/invoices')).json).toEqual({ items: [drafted.json] });

    const document = await call('GET', `/v1/invoices/${id}`);
    expect(document.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const invoice = invoiceSchema.parse(document.json);
    expect(invoice).toMatchObject({ number: drafted.json['number'], totalAtto: '10000', root });
    expect(flawsOf(invoice, root)).toEqual([]);
    expect(flawsOf({ ...invoice, totalAtto: '9999' }, root)).toHaveLength(1);

    const printed = await call('GET', `/v1/invoices/${id}`, { headers: { accept: 'application/pdf' } });
    expect(printed.headers.get('content-type')).toBe('application/pdf');
    expect(printed.headers.get('content-disposition')).toContain(`${invoice.number}.pdf`);
    expect(printed.text).toMatch(/^%PDF-1\.\d[^]*%%EOF\s*$/);
  }, 60_000);

  test('is drafted anew each time, and stays as it was', async () => {
    const [again, once] = [await draft(), await call('GET', '/v1/invoices?limit=1')];
    expect(again.json).toMatchObject({ number: expect.stringMatching(/-D2$/) });
    expect(once.json['items']).toEqual([again.json]);
    const rest = await call('GET', `/v1/invoices?limit=1&cursor=${once.json['nextCursor']}`);
    expect(rest.json).toMatchObject({ items: [{ number: expect.stringMatching(/-D1$/) }] });
  }, 60_000);

  test('of another tenant does not exist', async () => {
    const path = `/v1/invoices/${invoiceIdOf(tenant.tenantId, month)}-1`;
    for (const accept of ['application/json', 'application/pdf'])
      expect(await call('GET', path, { key: other.apiKey, headers: { accept } })).toMatchObject({
        ...{ status: 404, json: { code: 'invoice_not_found' } },
      });
    expect((await call('GET', '/v1/invoices', { key: other.apiKey })).json).toEqual({ items: [] });
  });

  test('is not made of a month without charges, or of what is no month', async () => {
    const refused = async (body: object, key = tenant.apiKey) =>
      (await call('POST', '/v1/invoices', { body, key })).json;
    expect(await refused({ month: '2001-01' })).toMatchObject({ code: 'nothing_to_invoice' });
    expect(await refused({ month }, other.apiKey)).toMatchObject({ code: 'nothing_to_invoice' });
    expect(await refused({ month: '2026-13' })).toMatchObject({
      ...{ code: 'request_invalid', errors: [{ field: 'month' }] },
    });
  });
});

describe('what an operator earned', () => {
  const earned = (path: string, key = operator.apiKey) => gateway.call('GET', `/v1/earnings${path}`, { key });
  const today = new Date().toISOString().slice(0, 10);
  const amounts = { charges: 1, workMs: 10_000, grossAtto: '10000', feeAtto: '250', netAtto: '9750' };

  test('is told by device, node and day, and what became of it', async () => {
    const both = await earned('?groupBy=node,day');
    expect(both.json).toMatchObject({ to: today, items: [{ nodeId, day: today, ...amounts }] });
    // The node was never enrolled, so that nobody knows its device.
    expect((await earned('?groupBy=device')).json['items']).toEqual([{ device: '', ...amounts }]);
    expect((await earned('')).json['items']).toEqual([{ day: today, ...amounts }]);
    expect((await earned('?groupBy=')).json['items']).toEqual([amounts]);
    const nothing = { settlingAtto: '0', claimableAtto: '0', claimedAtto: '0', roundedAtto: '0' };
    expect((await earned('/summary')).json).toEqual({ earnedAtto: '9750', pendingAtto: '9750', ...nothing });
  }, 60_000);

  test('is nobody else’s to see, and a tenant has none', async () => {
    expect((await earned('', rival.apiKey)).json['items']).toEqual([]);
    expect((await earned('/summary', rival.apiKey)).json).toMatchObject({ earnedAtto: '0' });
    expect((await earned('', tenant.apiKey)).json).toMatchObject({ code: 'caller_not_allowed' });
  }, 60_000);

  test('is asked for by what it is told apart by, of days that are some', async () => {
    for (const [query, field] of [
      ['groupBy=job', 'groupBy'],
      ['groupBy=day,day', 'groupBy'],
      ['from=2026-02-30', 'from'],
      ['from=2026-02-02&to=2026-02-01', 'from'],
    ])
      expect((await earned(`?${query}`)).json).toMatchObject({
        code: 'request_invalid',
        errors: [{ field }],
      });
    expect((await earned('/slashes')).json).toMatchObject({ code: 'chain_not_configured' });
  });
});

const codeOf = ({ status, json }: Answer) => [status, json['code']];

describe('a budget with a hard stop', () => {
  let key: string;
  const program = randomBytes(64);
  const get = (path: string, by = key) => gateway.call('GET', path, { key: by });
  const put = (path: string, body: unknown) => gateway.call('PUT', path, { key, body });
  const monthly = { amountAtto: '9000', period: 'month', atLimit: 'hard_stop' };
  const ofDigits = { ...monthly, scope: { kind: 'project', project: 'digits' } };

  beforeAll(async () => {
    const administration = gateway.platform.administration();
    const { tenantId, apiKey } = await administration.registerTenant('a tenant with a budget');
    key = apiKey;
    await administration.credit(tenantId, 20_000n);
    await until(
      () => get('/v1/balance'),
      ({ json }) => json['availableAtto'] === '20000',
    );
    await gateway.call('PUT', `/v1/content/${cidOf(program)}`, { key, body: program });
  });

  /** Two tasks, two replicas, one second at the price cap. @returns the job as it is once its money is decided on */
  async function submitted(project: string): Promise<Answer> {
    const body = {
      ...{ name: 'spend', project, tasks: [{ inputs: [] }, { inputs: [] }] },
      program: { cid: cidOf(program), timeLimitMs: 1_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
      requirements: { deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64, maxPricePerSecondAtto: '1000' },
    };
    const { json } = await gateway.call('POST', '/v1/jobs', { key, body });
    return until(
      () => get(`/v1/jobs/${String(json['id'])}`),
      answer => answer.status === 200 && answer.json['status'] !== 'submitted',
    );
  }

  test('lets the jobs of its project begin until it is spent, and tells so', async () => {
    expect((await put('/v1/budgets/digits-monthly', ofDigits)).json).toMatchObject({
      ...{ id: 'digits-monthly', spentAtto: '0', leftAtto: '9000', thresholds: [50, 80, 100] },
    });
    expect((await put('/v1/balance/alert', { amountAtto: '10000' })).status).toBe(200);
    const jobs = [await submitted('digits'), await submitted('digits'), await submitted('digits')];
    expect(jobs.map(({ json }) => json['status'])).toEqual(['queued', 'queued', 'failed']);
    const detail = '4000 atto are needed, budget digits-monthly leaves 1000';
    expect(jobs.at(-1).json).toMatchObject({ reason: 'budget_exceeded', detail, project: 'digits' });
    expect((await submitted('letters')).json['status']).toBe('queued');
    expect((await get('/v1/jobs?project=digits')).json['items']).toHaveLength(3);
    const alerts = await until(
      () => get('/v1/alerts'),
      ({ json }) => (json['items'] as unknown[]).length === 2,
    );
    const figures = { amountAtto: '9000', spentAtto: '0', committedAtto: '12000' };
    expect(alerts.json['items']).toMatchObject([
      { kind: 'balance_low', amountAtto: '10000', spendableAtto: '8000' },
      { kind: 'budget_committed', budgetId: 'digits-monthly', threshold: 100, ...figures },
    ]);
    const budgets = (await get('/v1/budgets')).json['items'];
    expect(budgets).toMatchObject([{ id: 'digits-monthly', committedAtto: '8000', leftAtto: '1000' }]);
  });

  test('keeps its scope, and is the only one of it', async () => {
    const refused = await put('/v1/budgets/digits-monthly', monthly);
    expect(codeOf(refused)).toEqual([409, 'budget_conflict']);
    expect(refused.json['errors']).toMatchObject([{ field: 'scope' }]);
    expect(codeOf(await put('/v1/budgets/other', ofDigits))).toEqual([409, 'budget_conflict']);
  });

  test('may be of the key that sets it, and of no key of others', async () => {
    const ofKey = { ...monthly, scope: { kind: 'api_key' } };
    const { json } = await put('/v1/budgets/mine', ofKey);
    expect(json['scope']).toEqual({ kind: 'api_key', apiKeyId: expect.stringMatching(/^key_/) });
    const asked = { key: tenant.apiKey, body: { ...ofKey, scope: json['scope'] } };
    const foreign = await gateway.call('PUT', '/v1/budgets/mine', asked);
    expect([...codeOf(foreign), foreign.json['errors']]).toMatchObject([
      ...[400, 'request_invalid'],
      [{ field: 'scope.apiKeyId' }],
    ]);
    expect(codeOf(await get('/v1/budgets/mine', tenant.apiKey))).toEqual([404, 'budget_not_found']);
  });

  test('is removed by its tenant alone, and the balance can be left alone too', async () => {
    const remove = (path: string, by: string) => gateway.call('DELETE', path, { key: by });
    expect(codeOf(await remove('/v1/budgets/mine', tenant.apiKey))).toEqual([404, 'budget_not_found']);
    expect((await remove('/v1/budgets/mine', key)).status).toBe(204);
    expect(codeOf(await get('/v1/budgets/mine'))).toEqual([404, 'budget_not_found']);
    expect((await get('/v1/balance/alert')).json).toEqual({ amountAtto: '10000' });
    expect((await remove('/v1/balance/alert', key)).status).toBe(204);
    expect((await get('/v1/balance/alert')).json).toEqual({});
  });
});
