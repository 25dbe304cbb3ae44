import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { EventStore } from './event-store.js';
import type { WorkReport } from './shared-work.js';
import { ensureStreams } from './streams.js';

const worker = fileURLToPath(new URL('worker.fixture.mjs', import.meta.url));
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };
const tenantIds = Array.from({ length: 32 }, () => newId('tenant'));
/** A little longer than a silent process is waited for. */
const sleepMs = 7_000;

let dir: string;
let server: NatsServer;
let bus: Bus;
const processes: Worker[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-shared-work-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'shared-work-e2e' });
  await ensureStreams(bus);
}, 300_000);

afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('processes join, leave, die and sleep under load: every command is decided once, in order', async () => {
  const load = new Load();
  const first = await start();
  await first.handles(200);
  const second = await start();
  await second.handles(200);
  first.child.kill('SIGKILL');
  const third = await start();
  await second.has(4);
  await third.handles(200);
  second.child.kill('SIGSTOP');
  await pause(sleepMs);
  await third.has(8);
  second.child.kill('SIGCONT');
  await second.has(4);
  const before = second.handled;
  await second.handles(before + 200);
  third.child.kill('SIGTERM');
  await second.has(8);
  const sent = await load.end();
  const store = new EventStore(bus);
  for (const [tenantId, count] of sent) {
    let names = await namesOf(store, tenantId);
    for (; names.length < count; names = await namesOf(store, tenantId)) await pause(100);
    expect(names).toEqual(Array.from({ length: count }, (_, index) => String(index)));
  }
  const all = [...sent.values()].reduce((sum, count) => sum + count, 0);
  const parts = processes.map(({ handled }) => handled / all);
  expect(Math.min(...parts)).toBeGreaterThan(0.05);
}, 300_000);

/** Commands for each tenant, numbered; the next one is sent when the last one is stored. */
class Load {
  readonly #commands = new CommandBus(bus, 'shared-work-e2e');
  #isEnding = false;
  readonly #done = Promise.all(tenantIds.map(async id => [id, await this.#sendTo(id)] as const));

  async end(): Promise<ReadonlyMap<string, number>> {
    this.#isEnding = true;
    return new Map(await this.#done);
  }

  async #sendTo(tenantId: string): Promise<number> {
    const to = { type: 'registry.tenant', id: tenantId } as const;
    let count = 0;
    for (; !this.#isEnding; count++) {
      const command = { type: 'RegisterTenant', data: { tenantId, name: String(count) } };
      await this.#commands.send({ to, ...command }, { id: newId('cmd'), metadata });
      await pause(50);
    }
    return count;
  }
}

class Worker {
  #last: WorkReport = { member: '', units: [] };

  constructor(readonly child: ChildProcess) {
    child.on('message', (message: { readonly report?: WorkReport }) => {
      this.#last = message.report ?? this.#last;
    });
  }

  get handled(): number {
    return this.#last.units.reduce((sum, { handled }) => sum + handled, 0);
  }

  async handles(count: number): Promise<void> {
    while (this.handled < count) await pause(20);
  }

  async has(units: number): Promise<void> {
    while (this.#last.units.filter(({ isHeld }) => isHeld).length !== units) await pause(20);
  }
}

async function start(): Promise<Worker> {
  const child = fork(worker, [server.url], { stdio: 'inherit' });
  const started = new Worker(child);
  processes.push(started);
  return started;
}

async function namesOf(store: EventStore, id: string): Promise<readonly string[]> {
  const events = await store.load({ type: 'registry.tenant', id });
  return events.map(({ event }) => (event.data as { readonly name: string }).name);
}

const pause = (durationMs: number) => new Promise(resolve => setTimeout(resolve, durationMs));
