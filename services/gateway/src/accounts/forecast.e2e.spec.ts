import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { AccountCommand } from '@astro/messages/billing';
import { startGateway, until, type GatewayUnderTest } from '../gateway.fixture.js';

let gateway: GatewayUnderTest;
let commands: CommandBus;
let tenant: { readonly tenantId: string; readonly apiKey: string };

beforeAll(async () => {
  gateway = await startGateway();
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('a spender');
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
    ...{ leaseId: newId('lease'), nodeId: newId('node'), operatorId: newId('operator') },
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
