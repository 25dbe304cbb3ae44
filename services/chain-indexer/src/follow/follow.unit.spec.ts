import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { freePort } from '@astro/devstack/ports';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { silent } from '@astro/jetstream/log';
import { ensureStreams } from '@astro/jetstream/streams';
import type { MirrorEvent } from '@astro/messages/chain';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chainId, LocalChain } from '../local-chain.fixture.js';
import { FollowStatus } from './follow-status.js';
import { followUnit } from './follow.unit.js';

let dir: string;
let port: number;
let nats: NatsServer | undefined;
let chain: LocalChain;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-thread-'));
  [port, chain] = await Promise.all([freePort(), LocalChain.start(dir)]);
}, 60_000);
afterAll(async () => {
  await chain?.stop();
  await nats?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await sleep(20);
};

test('a thread that ends is followed by another, which follows the chain until it is told to stop', async () => {
  await chain.transfer(5, 1);
  const status = new FollowStatus();
  const { before, contracts } = chain.deployment;
  const part = followUnit({
    task: {
      bus: { servers: `nats://127.0.0.1:${port}`, name: 'spec' },
      rpcUrls: [chain.anvil.url],
      callsPerSecond: 1_000,
      ...{ contracts, chainId, before, finalityBlocks: undefined },
      ...{ pollMs: 20, headEveryMs: 1_000_000 },
    },
    log: silent,
    status,
  }).open();
  // Nothing listens there yet, so that the first threads end.
  await part.start();
  await until(() => status.failures > 0);
  expect(status.report).toMatchObject({
    state: 'failing',
    reason: expect.stringMatching(/connect|refused/i),
  });

  nats = await startNats({ dir: join(dir, 'nats'), port });
  const bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  await ensureStreams(bus);
  const head = await chain.head();
  await until(() => status.report.asOfBlock === head);
  expect([status.report.state, status.failures, part.healthy]).toEqual(['following', 0, true]);
  const record = async () =>
    (await new EventStore(bus).load({ type: 'chain.mirror', id: String(chainId) })).flatMap(({ event }) => {
      const { type, data } = event as MirrorEvent;
      return type === 'BlockIndexed' ? data.logs.map(({ index }) => `${data.hash}/${index}`) : [];
    });
  expect(await record()).toEqual(await chain.logs());

  await part.stop();
  expect(status.report).toEqual({ state: 'standing by' });
  const written = await record();
  await chain.transfer(2, 2);
  await sleep(200);
  expect(await record()).toEqual(written);
  await bus.close();
}, 60_000);
