import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@astro/demo/client';
import type { ServerName } from '@astro/devstack/infrastructure/infrastructure';
import { Platform } from '@astro/devstack/platform';
import { StateFolder } from '@astro/devstack/state';
import { CommandBus } from '@astro/jetstream/command-bus';
import { checkEverything } from './checks.js';
import { History } from './history.js';
import { Injector } from './injector.js';
import type { Breach } from './invariants.js';
import { Load } from './load.js';
import { openMarket } from './market.js';
import { PartitionProxy } from './partition-proxy.js';
import { planOf, type FaultKind } from './plan.js';
import { settled } from './settle.js';
import { SmallDisk } from './small-disk.js';

export type RunOptions = {
  readonly seed: number;
  readonly durationMs: number;
  readonly faults: readonly FaultKind[];
  /** An empty folder, for all that the run keeps. */
  readonly stateDir: string;
  readonly say: (line: string) => void;
  /** Ends the run early; what was started is stopped. */
  readonly signal?: AbortSignal;
  /** Every line of every process. */
  readonly log: (source: string, line: string) => void;
};
export type Result = {
  readonly faults: ReadonlyMap<string, number>;
  readonly jobs: number;
  readonly credits: number;
  readonly events: number;
  readonly breaches: readonly Breach[];
};

/** Nodes that fall silent are found soon, so that their work is given to others within a short run. */
const env = {
  registry: { HEARTBEAT_TIMEOUT_MS: '6000' },
  scheduling: { PLACEMENT_PATIENCE_MS: '30000' },
} as const;
const diskMib: Readonly<Record<ServerName, number>> = { nats: 256, postgres: 768 };
/** More than the streams reserve, whatever the small disk says. */
const natsStoreMaxBytes = 16 * 1024 ** 3;

/** Boots a platform, loads it, strikes it by the plan of the seed, heals it and checks what must hold. */
export async function runSeed(options: RunOptions): Promise<Result> {
  const { stateDir, faults, say, log, signal } = options;
  const disks = faults.includes('disk-full') ? await mountDisks(stateDir, say) : {};
  let platform: Platform | undefined;
  const natsPort = () => Number(new URL(platform!.natsUrl).port);
  const proxy = await PartitionProxy.listen(natsPort);
  try {
    platform = await Platform.start({
      stateDir,
      infra: 'embedded',
      env: { ...env, gateway: { NATS_PUBLIC_URL: proxy.url } },
      natsStoreMaxBytes,
      ...(signal && { signal }),
      log,
    });
    return await Promise.race([strikeAndCheck(platform, proxy, disks, options), interruption(signal)]);
  } finally {
    await platform?.stop();
    await proxy.close();
    for (const disk of Object.values(disks)) await disk.unmount();
  }
}

async function strikeAndCheck(
  platform: Platform,
  proxy: PartitionProxy,
  disks: Partial<Record<ServerName, SmallDisk>>,
  { seed, durationMs, faults, say }: RunOptions,
): Promise<Result> {
  const market = await openMarket(platform);
  const bus = await platform.connectBus('chaos');
  const client = new Client(platform.gatewayUrl, market.tenantKey);
  const load = await Load.start(client, new CommandBus(bus, 'chaos'), { tenantId: market.tenantId, seed });
  const injector = new Injector({ platform, bus, proxy, disks, say });
  await injector.run(planOf(seed, durationMs, faults), Date.now());
  say('healing');
  await injector.heal();
  await load.stop();
  say('waiting until everything that was begun has ended');
  const history = new History(bus);
  const live = await settled(bus, history);
  const { doses } = injector;
  const breaches = await checkEverything({
    platform,
    bus,
    history,
    acknowledged: load.acknowledged,
    doses,
    say,
  });
  return {
    faults: injector.done,
    jobs: load.jobIds.length,
    credits: load.acknowledged.length - load.jobIds.length,
    events: history.all.length,
    breaches: live
      ? breaches
      : [{ invariant: 'liveness', detail: 'not everything ended in time' }, ...breaches],
  };
}

/** Rejects when the run is asked to end, and not before. */
function interruption(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
}

/** The servers' folders get disks of their own, before anything is stored in them. */
async function mountDisks(stateDir: string, say: (line: string) => void) {
  StateFolder.open(stateDir).close();
  const disks: Partial<Record<ServerName, SmallDisk>> = {};
  for (const server of ['nats', 'postgres'] as const) {
    const folder = join(stateDir, server);
    mkdirSync(folder, { recursive: true });
    const disk = await SmallDisk.mount(folder, diskMib[server]);
    if (disk) disks[server] = disk;
    else say(`no full disk for ${server}: this process may not mount one`);
  }
  return disks;
}
