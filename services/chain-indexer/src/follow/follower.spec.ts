import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startFaultyEndpoint, type FaultyEndpoint } from '@astro/devstack/anvil/faulty-endpoint';
import { startAnvil } from '@astro/devstack/anvil/server';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { ChainUnavailable } from '@astro/chain/rpc/failures';
import { RpcPool } from '@astro/chain/rpc/pool';
import { Bus } from '@astro/jetstream/bus';
import { ConcurrencyConflict, EventStore } from '@astro/jetstream/event-store';
import { silent } from '@astro/jetstream/log';
import { ensureStreams } from '@astro/jetstream/streams';
import type { MirrorEvent } from '@astro/messages/chain';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chainId, LocalChain } from '../local-chain.fixture.js';
import { ChainView } from './chain-view.js';
import { FinalityBroken, Follower } from './follower.js';
import { tipOf, type Mirror } from './mirror.js';
import { readMirror } from './record.js';

const aggregate = { type: 'chain.mirror', id: String(chainId) } as const;

let dir: string;
let nats: NatsServer;
let bus: Bus;
let store: EventStore;
let chain: LocalChain;
let first: FaultyEndpoint;
let second: FaultyEndpoint;
let pool: RpcPool;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-follow-'));
  [nats, chain] = await Promise.all([startNats({ dir: join(dir, 'nats') }), LocalChain.start(dir)]);
  bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
  [first, second] = await Promise.all([
    startFaultyEndpoint(chain.anvil.url),
    startFaultyEndpoint(chain.anvil.url),
  ]);
  pool = new RpcPool([first.url], { rounds: 1 });
});
afterEach(async () => {
  pool.close();
  await Promise.all([first.close(), second.close()]);
  await bus.close();
  await Promise.all([nats.stop(), chain.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

const followerOver = (endpoints: RpcPool = pool) =>
  new Follower({
    ...{ pool: endpoints, store, chainId, log: silent, headEveryMs: 1_000_000 },
    view: new ChainView(chain.deployment.contracts),
  });
const start = (): Promise<Mirror> => readMirror(bus, store, aggregate, chain.deployment.before);

/** Rounds until there is nothing more to read. */
async function catchUp(follower: Follower, from?: Mirror): Promise<Mirror> {
  let after = await follower.round(from ?? (await start()));
  while (after.isBehind) after = await follower.round(after.mirror);
  return after.mirror;
}

const events = async (): Promise<readonly MirrorEvent[]> =>
  (await store.load(aggregate)).map(({ event }) => event as MirrorEvent);

/** What the record says is on the chain: each reverted block must be the last one that is there. */
function standing(record: readonly MirrorEvent[]): readonly string[] {
  const blocks: { readonly hash: string; readonly logs: readonly string[] }[] = [];
  for (const { type, data } of record) {
    if (type === 'BlockReverted') expect(blocks.pop()!.hash).toBe(data.hash);
    if (type === 'BlockIndexed')
      blocks.push({ hash: data.hash, logs: data.logs.map(({ index }) => `${data.hash}/${index}`) });
  }
  return blocks.flatMap(({ logs }) => logs);
}

async function expectMirrored(): Promise<readonly MirrorEvent[]> {
  const record = await events();
  expect(standing(record)).toEqual(await chain.logs());
  return record;
}
const reverts = (record: readonly MirrorEvent[]) =>
  record.filter(({ type }) => type === 'BlockReverted').length;

test('every log of ours is recorded once, in the order of the chain', async () => {
  await chain.transfer(40, 1);
  const mirror = await catchUp(followerOver());
  expect(tipOf(mirror).number).toBe(await chain.head());
  await expectMirrored();
  expect((await chain.logs()).length).toBeGreaterThan(90);
});

test('another process goes on from the record, and one that was overtaken writes nothing', async () => {
  const overtaken = await start();
  await catchUp(followerOver());
  const before = (await events()).length;
  await chain.transfer(3, 1);
  await expect(followerOver().round(overtaken)).rejects.toThrow(ConcurrencyConflict);
  expect(await events()).toHaveLength(before);
  await catchUp(followerOver());
  await expectMirrored();
});

test.each([1, 5, 63])('a reorganisation of %i blocks is taken back first, and then followed', async depth => {
  await chain.transfer(70, 1);
  const mirror = await catchUp(followerOver());
  const before = tipOf(mirror).hash;
  await chain.call('anvil_reorg', depth, []);
  await chain.transfer(2, 2);
  expect(await chain.hashAt(tipOf(mirror).number)).not.toBe(before);
  await catchUp(followerOver(), mirror);
  const record = await expectMirrored();
  expect(reverts(record)).toBe(depth);
  const isRevert = record.map(({ type }) => type === 'BlockReverted');
  expect(isRevert.lastIndexOf(true) - isRevert.indexOf(true) + 1).toBe(depth);
});

test('a process that starts after a reorganisation finds it by the record alone', async () => {
  await chain.transfer(20, 1);
  await catchUp(followerOver());
  await chain.call('anvil_reorg', 6, []);
  await chain.transfer(9, 2);
  await catchUp(followerOver());
  await chain.call('anvil_reorg', 4, []);
  await catchUp(followerOver());
  expect(reverts(await expectMirrored())).toBe(10);
});

test('blocks that a chain lost without others in their place are taken back', async () => {
  const snapshot = await chain.call('evm_snapshot');
  await chain.transfer(5, 1);
  const mirror = await catchUp(followerOver());
  await chain.call('evm_revert', snapshot);
  await chain.transfer(2, 2);
  await catchUp(followerOver(), mirror);
  expect(reverts(await expectMirrored())).toBe(5);
});

test('beyond finality nothing is written, and it is said', async () => {
  await chain.transfer(80, 1);
  const mirror = await catchUp(followerOver());
  const before = await events();
  await chain.call('anvil_reorg', 75, []);
  await chain.transfer(2, 2);
  await expect(followerOver().round(mirror)).rejects.toThrow(FinalityBroken);
  await expect(followerOver().round(await start())).rejects.toThrow(FinalityBroken);
  expect(await events()).toEqual(before);
});

test('a stale head is no reorganisation', async () => {
  await chain.transfer(10, 1);
  const mirror = await catchUp(followerOver());
  const stale = `0x${((await chain.head()) - 4).toString(16)}`;
  first.fault = () => ({
    change: (call, answer) => (call.method === 'eth_blockNumber' ? { ...answer, result: stale } : answer),
  });
  const before = await events();
  const late = await followerOver().round(mirror);
  expect(tipOf(late.mirror)).toEqual(tipOf(mirror));
  expect(await events()).toEqual(before);
});

test.each(['one log', 'one receipt', 'every receipt'])(
  'an endpoint that leaves out %s makes no gap',
  async what => {
    await chain.transfer(5, 1);
    first.fault = () => ({
      change(call, answer) {
        if (call.method !== 'eth_getBlockReceipts') return answer;
        const receipts = answer.result as { logs: unknown[] }[];
        if (what === 'every receipt') return { ...answer, result: [] };
        if (what === 'one receipt') return { ...answer, result: receipts.slice(1) };
        return {
          ...answer,
          result: receipts.map(receipt => ({ ...receipt, logs: receipt.logs.slice(0, -1) })),
        };
      },
    });
    await expect(followerOver().round(await start())).rejects.toThrow(ChainUnavailable);
    expect(await events()).toEqual([]);
    const both = new RpcPool([first.url, second.url], { rounds: 1 });
    await catchUp(followerOver(both));
    both.close();
    await expectMirrored();
  },
);

test.each([429, 500, 502])('HTTP %i now and then leaves neither a gap nor a duplicate', async status => {
  const both = new RpcPool([first.url, second.url]);
  await chain.transfer(30, 1);
  let requests = 0;
  const fault = () => (++requests % 9 === 0 ? { status, headers: { 'retry-after': '0.01' } } : undefined);
  [first.fault, second.fault] = [fault, fault];
  await catchUp(followerOver(both));
  [first.fault, second.fault] = [undefined, undefined];
  both.close();
  expect(requests).toBeGreaterThan(9);
  await expectMirrored();
});

test('while two endpoints disagree nothing is taken back; when one is outgrown it is', async () => {
  const snapshot = join(dir, 'other');
  const other = await startAnvil({ dir: snapshot });
  await chain.transfer(10, 1);
  const mirror = await catchUp(followerOver());
  const otherPool = new RpcPool([other.url]);
  await otherPool.call('anvil_loadState', await chain.call('anvil_dumpState'));
  await chain.call('anvil_reorg', 2, []);
  const both = new RpcPool([first.url, other.url], { rounds: 1 });
  const before = await events();
  const seen = await followerOver(both).round(mirror);
  expect(await events()).toEqual(before);
  await chain.transfer(6, 3);
  await catchUp(followerOver(both), seen.mirror);
  expect(reverts(await expectMirrored())).toBe(2);
  otherPool.close();
  both.close();
  await other.stop();
});
