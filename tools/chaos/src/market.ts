import { fund } from '@astro/devstack/funds';
import type { Platform } from '@astro/devstack/platform';
import { agentNames } from './plan.js';

export type Market = { readonly tenantId: string; readonly tenantKey: string };

const creditAtto = 1_000n * 10n ** 18n;
const microAstro = 10n ** 12n;
const heartbeatMs = 1_000;

/** One tenant with money, and agents of different operators. */
export async function openMarket(platform: Platform): Promise<Market> {
  const administration = platform.administration();
  const tenant = await administration.registerTenant('Tenant under fire');
  await fund(platform, tenant, creditAtto);
  const opening = agentNames.map(async (name, index) => {
    const { apiKey: operatorKey } = await administration.registerOperator(`Operator of ${name}`);
    const hardware = { cpuMillis: 1_000, memoryMib: 512 };
    const pricePerSecondAtto = BigInt(50 + index) * microAstro;
    await platform.startAgent({
      name,
      operatorKey,
      region: 'eu-west',
      ...hardware,
      pricePerSecondAtto,
      heartbeatMs,
    });
  });
  await Promise.all(opening);
  return { tenantId: tenant.tenantId, tenantKey: tenant.apiKey };
}
