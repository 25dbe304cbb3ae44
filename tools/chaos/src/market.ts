import { fund, payOnChain } from '@astro/devstack/funds';
import type { Platform } from '@astro/devstack/platform';
import { agentNames } from './plan.js';

export type Market = {
  readonly tenantId: string;
  readonly tenantKey: string;
  /** Has no money but what it is given. */
  readonly otherTenantId: string;
};

const creditAtto = 1_000n * 10n ** 18n;
const microAstro = 10n ** 12n;
const heartbeatMs = 1_000;

/** One tenant with money and one without, and agents of different operators that are paid on the chain. */
export async function openMarket(platform: Platform): Promise<Market> {
  const administration = platform.administration();
  const tenant = await administration.registerTenant('Tenant under fire');
  const { tenantId: otherTenantId } = await administration.registerTenant('Tenant that is given money');
  await fund(platform, tenant, creditAtto);
  const opening = agentNames.map(async (name, index) => {
    const operator = await administration.registerOperator(`Operator of ${name}`);
    await payOnChain(platform, operator);
    const hardware = { cpuMillis: 1_000, memoryMib: 512 };
    const pricePerSecondAtto = BigInt(50 + index) * microAstro;
    await platform.startAgent({
      name,
      operatorKey: operator.apiKey,
      region: 'eu-west',
      ...hardware,
      pricePerSecondAtto,
      heartbeatMs,
    });
  });
  await Promise.all(opening);
  return { tenantId: tenant.tenantId, tenantKey: tenant.apiKey, otherTenantId };
}
