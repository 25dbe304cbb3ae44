import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@astro/demo/client';
import type { ServerName } from '@astro/devstack/infrastructure/infrastructure';
import { Platform } from '@astro/devstack/platform';
import { portGiven } from '@astro/devstack/port-book';
import { StateFolder } from '@astro/devstack/state';
import { CommandBus } from '@astro/jetstream/command-bus';
import { checkEverything } from './checks.js';
import { DiskProbe } from './disk-probe.js';
import { History } from './history.js';
import { Injector } from './injector.js';
import { notSucceeded, type Breach } from './invariants.js';
import { Load } from './load.js';
import { openMarket } from './market.js';
import { BusProxy } from './bus-proxy.js';
import { planOf, type FaultKind } from './plan.js';
import { serviceProcesses, settingsOf, type Settings } from './settings.js';
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
  /** Processes that died by themselves, which is at a crash point. */
  readonly crashes: number;
  readonly jobs: number;
  readonly transfers: number;
  readonly events: number;
  readonly breaches: readonly Breach[];
};

/** Every process of a service reaches the bus through an address of its own, and agents through one of theirs. */
function environments(proxy: BusProxy, settings: Settings) {
  const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    // Nodes that fall silent are found soon, so that their work is given to others within a short run.
    registry: { HEARTBEAT_TIMEOUT_MS: '6000' },
    scheduling: { PLACEMENT_PATIENCE_MS: '30000' },
    gateway: { NATS_PUBLIC_URL: proxy.urlFor() },
    // Charges come to the chain while it is struck.
    billing: { SETTLEMENT_EVERY_MS: '1000', SETTLEMENT_POLL_MS: '200' },
  };
  const ASTRO_ACK_WAIT_MS = String(settings.ackWaitMs);
  return Object.fromEntries(
    serviceProcesses(settings).map(name => [
      name,
      { ...own[name.replace(/-\d+$/, '')], ASTRO_ACK_WAIT_MS, NATS_URL: proxy.urlFor(name) },
    ]),
  );
}

const diskMib: Readonly<Record<ServerName, number>> = { nats: 128, postgres: 512 };
/** More than the streams reserve, whatever the small disk says. */
const natsStoreMaxBytes = 16 * 1024 ** 3;

/** Boots a platform, loads it, strikes it by the plan of the seed, heals it and checks what must hold. */
export async function runSeed(options: RunOptions): Promise<Result> {
  const { seed, stateDir, faults, say, signal } = options;
  let deaths = 0;
  const log: RunOptions['log'] = (source, line) => {
    if (line.startsWith('ended with SIGKILL')) deaths++;
    options.log(source, line);
  };
  const disks = faults.includes('disk-full') ? await mountDisks(stateDir, say) : {};
  let platform: Platform | undefined;
  const settings = settingsOf(seed);
  const proxy = await BusProxy.listen(() => portGiven(stateDir, 'nats'), serviceProcesses(settings));
  try {
    platform = await Platform.start({
      stateDir,
      infra: 'embedded',
      settles: true,
      instances: settings.instances,
      env: environments(proxy, settings),
      natsStoreMaxBytes,
      ...(signal && { signal }),
      log,
    });
    await platform.untilChainIsReady();
    return await Promise.race([
      strikeAndCheck(platform, proxy, disks, { ...options, deaths: () => deaths }),
      interruption(signal),
    ]);
  } finally {
    await platform?.stop();
    await proxy.close();
    for (const disk of Object.values(disks)) await disk.unmount();
  }
}

async function strikeAndCheck(
  platform: Platform,
  proxy: BusProxy,
  disks: Partial<Record<ServerName, SmallDisk>>,
  { seed, durationMs, faults, say, deaths }: RunOptions & { readonly deaths: () => number },
): Promise<Result> {
  const bus = await platform.connectBus('chaos');
  const probe = await DiskProbe.create(bus, platform.adminDatabaseUrl);
  const market = await openMarket(platform);
  const client = new Client(platform.gatewayUrl, market.tenantKey);
  const plan = planOf(seed, durationMs, faults);
  const { tenantId, otherTenantId } = market;
  const burstsAtMs = plan.map(({ atMs }) => atMs);
  const load = await Load.start(client, new CommandBus(bus, 'chaos'), {
    tenantId,
    otherTenantId,
    seed,
    burstsAtMs,
  });
  const injector = new Injector({ platform, bus, proxy, disks, probe, say });
  await injector.run(plan, Date.now());
  say('healing');
  await injector.heal();
  say('letting the load end');
  await load.stop();
  const last = await load.submitLast();
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
  const found = [
    ...(live ? [] : [{ invariant: 'liveness', detail: 'not everything ended in time' }]),
    ...injector.breaches,
    ...notSucceeded(history.all, last),
    ...load.refusals.map(detail => ({ invariant: 'refusal', detail })),
    ...breaches,
    ...(await probe.lost()),
  ];
  return {
    faults: injector.done,
    crashes: deaths() - (injector.done.get('kill') ?? 0),
    jobs: load.jobIds.length,
    transfers: load.acknowledged.length - load.jobIds.length,
    events: history.all.length,
    breaches: found,
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
