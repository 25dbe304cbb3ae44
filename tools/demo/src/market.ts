import { join } from 'node:path';
import { localNodes, openLocalMarket } from '@astro/devstack/local-market';
import type { Platform } from '@astro/devstack/platform';
import { repositoryRoot } from '@astro/devstack/repository';

export type Market = {
  readonly tenantId: string;
  readonly tenantKey: string;
  /** Names of operators by id. */
  readonly operators: ReadonlyMap<string, string>;
  /** Keys of the honest operators by id. */
  readonly operatorKeys: ReadonlyMap<string, string>;
  readonly liar: { readonly operatorId: string; readonly operator: string };
};

/** The cheapest of all, so that it gets work in every round. */
const lying = {
  name: 'mirage',
  region: 'eu-west',
  pricePerSecondAtto: 50n * 10n ** 12n,
  cpuMillis: 1_000,
  memoryMib: 512,
};
const lyingOperator = 'Mirage Ltd';
const lyingAgentEntry = join(repositoryRoot, 'tools/demo/dist/lying-agent.js');

/** Opens the local market: a client with credit, and an agent for each of the local nodes. */
export async function openHonestMarket(platform: Platform): Promise<Omit<Market, 'liar'>> {
  const { tenantId, tenantKey, operators } = await openLocalMarket(platform);
  const registered = Object.entries(operators);
  return {
    ...{ tenantId, tenantKey },
    operators: new Map(registered.map(([name, { operatorId }]) => [operatorId, name])),
    operatorKeys: new Map(registered.map(([, { operatorId, apiKey }]) => [operatorId, apiKey])),
  };
}

/** Opens the local market with one node more, whose agent lies about its results. */
export async function openMarket(platform: Platform): Promise<Market> {
  const { operatorId, apiKey } = await platform.administration().registerOperator(lyingOperator);
  const [market] = await Promise.all([
    openHonestMarket(platform),
    platform.startAgent({ ...lying, operatorKey: apiKey, entry: lyingAgentEntry }),
  ]);
  return {
    ...market,
    operators: new Map([...market.operators, [operatorId, lyingOperator]]),
    liar: { operatorId, operator: lyingOperator },
  };
}

export const honestNodes = localNodes.length;
