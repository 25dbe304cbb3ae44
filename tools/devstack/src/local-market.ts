import type { AgentPlan } from './agents.js';
import { fund, payOnChain } from './funds.js';
import type { Platform } from './platform.js';

export const attoPerAstro = 10n ** 18n;
const attoPerMicroAstro = 10n ** 12n;

export type LocalNode = Omit<AgentPlan, 'operatorKey'> & { readonly operator: string };

/** Five nodes of five operators that share this machine, with different prices, regions and hardware. */
export const localNodes: readonly LocalNode[] = [
  {
    name: 'aurora',
    operator: 'Aurora Compute',
    region: 'eu-north',
    ...hardware(1_000, 1_024),
    ...price(120n),
  },
  { name: 'bodega', operator: 'Bodega Cloud', region: 'eu-south', ...hardware(1_000, 768), ...price(90n) },
  {
    name: 'cascade',
    operator: 'Cascade Works',
    region: 'us-west',
    ...hardware(2_000, 1_024),
    ...price(150n),
  },
  { name: 'dune', operator: 'Dune Systems', region: 'me-central', ...hardware(2_000, 512), ...price(60n) },
  { name: 'ember', operator: 'Ember Labs', region: 'ap-east', ...hardware(1_000, 512), ...price(75n) },
];

export const localTenant = { name: 'Local tenant', creditAtto: 1_000n * attoPerAstro };

/** Who was registered in this state folder, with the keys that are shown nowhere else. */
export type LocalMarket = {
  readonly tenantId: string;
  readonly tenantKey: string;
  /** By name of the operator. */
  readonly operators: Readonly<Record<string, { readonly operatorId: string; readonly apiKey: string }>>;
};

function hardware(cpuMillis: number, memoryMib: number) {
  return { cpuMillis, memoryMib };
}

function price(microAstroPerSecond: bigint) {
  return { pricePerSecondAtto: microAstroPerSecond * attoPerMicroAstro };
}

/** Registers whoever takes part, gives the tenant its money, and starts every node; resolves when all is there. */
export async function openLocalMarket(platform: Platform): Promise<LocalMarket> {
  const market = await ensureLocalMarket(platform);
  const { tenantId, tenantKey: apiKey, operators } = market;
  await Promise.all([
    startLocalNodes(platform, market),
    fund(platform, { tenantId, apiKey }, localTenant.creditAtto),
    ...Object.values(operators).map(operator => payOnChain(platform, operator)),
  ]);
  return market;
}

/** Registers the tenant and the operators the first time; a later start gets the same ones. */
async function ensureLocalMarket(platform: Platform): Promise<LocalMarket> {
  const { state } = platform;
  const administration = platform.administration();
  const tenant = await state.once('local-tenant', () => administration.registerTenant(localTenant.name));
  const operators: Record<string, { operatorId: string; apiKey: string }> = {};
  for (const { name, operator } of localNodes) {
    operators[operator] = await state.once(`local-operator-${name}`, () =>
      administration.registerOperator(operator),
    );
  }
  return { tenantId: tenant.tenantId, tenantKey: tenant.apiKey, operators };
}

/** Starts every local node. Resolves when all are connected. */
async function startLocalNodes(platform: Platform, market: LocalMarket): Promise<void> {
  const starting = localNodes.map(({ operator, ...plan }) =>
    platform.startAgent({ ...plan, operatorKey: market.operators[operator]!.apiKey }),
  );
  const results = await Promise.allSettled(starting);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
