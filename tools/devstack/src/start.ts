import { parseArgs } from 'node:util';
import { openLocalMarket, type LocalMarket } from './local-market.js';
import { consoleSink } from './log.js';
import { Platform } from './platform.js';
import { homeFolder } from './repository.js';

const usage =
  'usage: npm start -- [--instances N]   N processes of each service; ASTRO_INSTANCES says the same';
const preferredPorts = { gateway: 8080, nats: 4222, postgres: 5432, anvil: 8545 };

/** `npm start`: the platform with a local market, left running until it is interrupted. */
async function main(): Promise<void> {
  const instances = wantedInstances();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.abort());
  const startedAt = Date.now();
  let platform: Platform | undefined;
  try {
    platform = await Platform.start({
      stateDir: homeFolder(),
      settles: true,
      instances,
      ports: preferredPorts,
      log: consoleSink,
      logLevel: process.env['LOG_LEVEL'] ?? 'warn',
      signal: interrupted.signal,
    });
    const market = await openLocalMarket(platform);
    console.log(welcome(platform, market, Date.now() - startedAt));
    await platform.untilChainIsReady();
    await untilAborted(interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await platform?.stop();
  }
}

function wantedInstances(): number {
  try {
    const { values } = parseArgs({ options: { instances: { type: 'string' } } });
    return Number(values.instances ?? process.env['ASTRO_INSTANCES'] ?? 1);
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${usage}`, { cause });
  }
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>(resolve => {
    if (signal.aborted) resolve();
    // The timer keeps the process alive whatever else it waits for.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => {
      clearInterval(alive);
      resolve();
    });
  });

function welcome(platform: Platform, market: LocalMarket, tookMs: number): string {
  return `
Astro is ready after ${(tookMs / 1_000).toFixed(1)} s.

  gateway     ${platform.gatewayUrls.join('\n              ')}
  OpenAPI     ${platform.gatewayUrl}/v1/openapi.json
  NATS        ${platform.natsUrl}
  PostgreSQL  ${platform.adminDatabaseUrl}
  chain       ${platform.chain.rpcUrl}
  contracts   ${platform.chain.addressesFile}
  state       ${platform.state.path}

A tenant with credit is registered; its API key:

  export ASTRO_KEY=${market.tenantKey}
  curl -H "Authorization: Bearer $ASTRO_KEY" ${platform.gatewayUrl}/v1/account
  curl -H "Authorization: Bearer $ASTRO_KEY" ${platform.gatewayUrl}/v1/nodes

Ctrl-C stops everything; npm start continues from there; npm run reset forgets it.
`;
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
