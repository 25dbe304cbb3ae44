import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import { serviceNames, type ServiceName } from '@astro/devstack/services';
import { auditEvents } from './audit.js';
import { idleProgram } from './broken-programs.js';
import { Client, type JobRequest } from './client.js';
import { untilSettled } from './main-job.js';
import { openHonestMarket } from './market.js';

const jobsAtOnce = 4;
/** Those that decide commands, which their processes share. */
const deciding = serviceNames.filter(name => name !== 'gateway' && name !== 'chain-indexer');

let stateDir: string;
let platform: Platform;
let clients: readonly Client[];
let job: JobRequest;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-two-instances-'));
  platform = await Platform.start({ stateDir, instances: 2 });
  await platform.untilChainIsReady();
  const { tenantKey } = await openHonestMarket(platform);
  clients = platform.gatewayUrls.map(url => new Client(url, tenantKey));
  const cid = await clients[0]!.putContent(idleProgram);
  job = {
    name: 'a small job',
    program: { cid, timeLimitMs: 5_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
    requirements: {
      deviceKind: 'cpu',
      cpuMillis: 250,
      memoryMib: 64,
      maxPricePerSecondAtto: String(10n ** 16n),
    },
    tasks: [{ inputs: [] }],
  };
}, 300_000);

afterAll(async () => {
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

/** Jobs through both gateways and newcomers for the registry, until it is ended. */
class Load {
  #isEnding = false;
  readonly #jobs = Promise.all(Array.from({ length: jobsAtOnce }, (_, line) => this.#submit(line)));
  readonly #newcomers = this.#register();

  /** How many jobs there were. */
  async end(): Promise<number> {
    this.#isEnding = true;
    await this.#newcomers;
    return (await this.#jobs).reduce((sum, count) => sum + count, 0);
  }

  async #register(): Promise<void> {
    const administration = platform.administration();
    while (!this.#isEnding) {
      await administration.registerTenant('Newcomer');
      await sleep(100);
    }
  }

  async #submit(line: number): Promise<number> {
    const client = clients[line % clients.length]!;
    let count = 0;
    for (; !this.#isEnding; count++) {
      const { id } = await client.submit(job, `load-${line}-${count}`);
      for await (const event of client.events(id)) void event;
    }
    return count;
  }
}

type Work = {
  readonly units: readonly { readonly name: string; readonly isHeld: boolean; readonly handled: number }[];
};

async function workOf(name: string): Promise<Work> {
  return (await (await fetch(`${platform.urlOf(name)}/health/work`)).json()) as Work;
}
const handledBy = async (name: string) =>
  (await workOf(name)).units.reduce((sum, { handled }) => sum + handled, 0);
const heldBy = async (name: string) =>
  (await workOf(name)).units.flatMap(unit => (unit.isHeld ? [unit.name] : []));

/** Everybody has a fair part, and nothing is in two hands or none. */
async function untilShared(service: ServiceName): Promise<void> {
  for (;;) {
    const { units } = await workOf(service);
    const held = await Promise.all(platform.instancesOf(service).map(heldBy));
    const isWhole = held.flat().length === units.length && new Set(held.flat()).size === units.length;
    if (isWhole && held.every(names => names.filter(name => name.startsWith('commands-')).length === 4))
      return;
    await sleep(100);
  }
}

test('two gateways are one to a client: content, jobs and idempotency keys', async () => {
  const [first, second] = clients as [Client, Client];
  const bytes = new TextEncoder().encode('brought to the second gateway');
  const cid = await second.putContent(bytes);
  expect(await first.getContent(cid)).toEqual(bytes);
  const answers = await Promise.all([first.submit(job, 'same-key'), second.submit(job, 'same-key')]);
  expect(answers[0].id).toBe(answers[1].id);
  await expect(second.submit({ ...job, name: 'another' }, 'same-key')).rejects.toThrow(
    'idempotency_key_reused',
  );
  for await (const event of second.events(answers[0].id)) void event;
  expect(await first.ended(answers[0].id)).toMatchObject({ status: 'succeeded' });
}, 60_000);

test('under load, one process of each service after the other dies and comes back: jobs go on ending', async () => {
  await Promise.all(deciding.map(untilShared));
  const load = new Load();
  for (const service of serviceNames) {
    const victim = platform.instancesOf(service).at(-1)!;
    platform.kill(victim, 'SIGKILL');
    await platform.untilReady(victim);
  }
  await Promise.all(deciding.map(untilShared));
  // All have work now: those that came back, and those that had it all meanwhile.
  for (const name of deciding.flatMap(service => platform.instancesOf(service))) {
    const soFar = await handledBy(name);
    while ((await handledBy(name)) === soFar) await sleep(100);
  }
  const jobs = await load.end();
  await untilSettled(clients[0]!);
  const audit = await auditEvents(await platform.connectBus('audit'));
  expect(audit.jobs).toBe(jobs + 1);
  expect(audit.succeeded).toBe(audit.tasks);
  expect(audit.jobsNotEndedOnce).toEqual([]);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 300_000);
