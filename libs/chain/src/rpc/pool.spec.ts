import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import { startFaultyEndpoint, type FaultyEndpoint } from '@astro/devstack/anvil/faulty-endpoint';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChainUnavailable, RpcRefused } from './failures.js';
import { RpcPool } from './pool.js';
import { PoolProvider } from './provider.js';

let dir: string;
let anvil: AnvilServer;
let first: FaultyEndpoint;
let second: FaultyEndpoint;
let pool: RpcPool;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-rpc-'));
  anvil = await startAnvil({ dir });
  [first, second] = await Promise.all([startFaultyEndpoint(anvil.url), startFaultyEndpoint(anvil.url)]);
});
beforeEach(() => {
  pool?.close();
  [first.fault, second.fault] = [undefined, undefined];
  pool = new RpcPool([first.url, second.url], { rounds: 2 });
});
afterAll(async () => {
  pool?.close();
  await Promise.all([first?.close(), second?.close()]);
  await anvil?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test.each([429, 500, 503])(
  'HTTP %i of one endpoint is answered by the next, which is preferred then',
  async status => {
    first.fault = () => ({ status });
    expect(await pool.call('eth_chainId')).toBe('0x7a69');
    const before = first.requests;
    expect(await pool.call('eth_chainId')).toBe('0x7a69');
    expect(first.requests).toBe(before);
  },
);

test('an endpoint that asks to be spared is not asked before its time', async () => {
  second.fault = () => ({ status: 500 });
  first.fault = () => ({ status: 429, headers: { 'retry-after': '30' } });
  const before = first.requests;
  await expect(pool.call('eth_chainId')).rejects.toThrow(ChainUnavailable);
  expect(first.requests).toBe(before + 1);
});

/** As providers count: so many calls within the last second, and whoever asks for more is told to wait. */
function limitedTo(callsPerSecond: number) {
  const sent: { readonly atMs: number; readonly calls: number }[] = [];
  const seen = { refused: 0, mostWithinSecond: 0 };
  const fault: FaultyEndpoint['fault'] = calls => {
    const atMs = performance.now();
    const within = sent.filter(one => atMs - one.atMs < 1_000).reduce((sum, one) => sum + one.calls, 0);
    if (within + calls.length > callsPerSecond) {
      seen.refused += 1;
      return { status: 429, headers: { 'retry-after': '1' } };
    }
    sent.push({ atMs, calls: calls.length });
    seen.mostWithinSecond = Math.max(seen.mostWithinSecond, within + calls.length);
    return undefined;
  };
  return { seen, fault };
}

test('a pool that knows the limit of an endpoint stays below it, however many ask at once', async () => {
  const { seen, fault } = limitedTo(50);
  first.fault = fault;
  const careful = new RpcPool([first.url], { rounds: 1, callsPerSecond: 40 });
  const batch = Array.from({ length: 10 }, () => ({ method: 'eth_chainId', params: [] }));
  const lone = Array.from({ length: 60 }, () => careful.call('eth_chainId'));
  const batches = Array.from({ length: 6 }, () => careful.batch(batch));
  expect(await Promise.all(lone)).toEqual(Array(60).fill('0x7a69'));
  expect((await Promise.all(batches)).flat()).toHaveLength(60);
  expect(seen.refused).toBe(0);
  expect(seen.mostWithinSecond).toBeGreaterThan(20);
  careful.close();
}, 20_000);

test('a pool that does not know it is told once, waits as long as it was told, and goes on', async () => {
  const { seen, fault } = limitedTo(5);
  first.fault = fault;
  const eager = new RpcPool([first.url], { rounds: 6, callsPerSecond: 1_000 });
  for (let call = 1; call <= 12; call++) expect(await eager.call('eth_chainId')).toBe('0x7a69');
  expect(seen.mostWithinSecond).toBe(5);
  expect(seen.refused).toBe(2);
  eager.close();
}, 20_000);

test('an answer that is missing from a batch fails the whole batch, which the next endpoint answers', async () => {
  first.fault = () => ({ change: (call, answer) => (call.id === 1 ? { id: 99 } : answer) });
  const calls = ['eth_chainId', 'eth_blockNumber'].map(method => ({ method, params: [] }));
  expect(await pool.batch(calls)).toEqual([{ result: '0x7a69' }, { result: '0x0' }]);
});

test('a refusal is an answer: nobody else is asked', async () => {
  const before = second.requests;
  await expect(pool.call('eth_noSuchMethod')).rejects.toThrow(RpcRefused);
  expect(second.requests).toBe(before);
});

test('the breaker of an endpoint that keeps failing opens, and the endpoint is left alone', async () => {
  const alone = new RpcPool([first.url], { rounds: 1 });
  first.fault = () => ({ status: 500 });
  const before = first.requests;
  for (let call = 1; call <= 5; call++) await expect(alone.call('eth_chainId')).rejects.toThrow('HTTP 500');
  await expect(alone.call('eth_chainId')).rejects.toThrow('Breaker is open');
  expect(first.requests - before).toBe(5);
  alone.close();
});

test('contracts talk through the pool', async () => {
  first.fault = () => ({ status: 500 });
  const provider = new PoolProvider(pool, 31_337);
  expect(await provider.getBlockNumber()).toBe(0);
  provider.destroy();
});
