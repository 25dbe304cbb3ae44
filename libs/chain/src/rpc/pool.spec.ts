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
