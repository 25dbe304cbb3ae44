import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcPool } from '@astro/chain/rpc/pool';
import { freePort } from '../ports.js';
import { blocksToFinal } from './block-maker.js';
import { startPacedChain } from './paced-chain.js';
import type { AnvilServer } from './server.js';

type Header = { readonly number: string; readonly hash: string; readonly transactions: readonly unknown[] };

let dir: string;
let port: number;
let chain: AnvilServer;
let pool: RpcPool;
const ended = new EventTarget();

const start = () =>
  startPacedChain({
    dir,
    port,
    log: () => undefined,
    onExit: () => void ended.dispatchEvent(new Event('exit')),
  });
const header = async (block: string) => (await pool.call('eth_getBlockByNumber', block, false)) as Header;
const hashOf = async (number: number) => (await header(`0x${number.toString(16)}`)).hash;
const head = async () => Number(await pool.call('eth_blockNumber'));

async function transfer(): Promise<void> {
  const [from, to] = (await pool.call('eth_accounts')) as readonly string[];
  await pool.call('eth_sendTransaction', { from, to, value: '0x1' });
}

async function untilHead(number: number): Promise<void> {
  while ((await head()) < number) await sleep(20);
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-paced-'));
  port = await freePort();
  chain = await start();
  pool = new RpcPool([chain.url]);
});
afterEach(async () => {
  pool.close();
  await chain.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a transaction becomes final, and then the chain rests', async () => {
  // The first block, and those after a start.
  const atRest = 1 + blocksToFinal;
  await untilHead(atRest);
  await transfer();
  await untilHead(atRest + 1 + blocksToFinal);
  const final = await header('finalized');
  expect([Number(final.number), final.transactions.length]).toEqual([atRest + 1, 1]);
  await sleep(1_500);
  expect(await head()).toBe(atRest + 1 + blocksToFinal);
}, 30_000);

test('what was final stays, whenever the chain is killed, and it goes on from there', async () => {
  const finals = new Map<number, string>();
  for (let round = 0; round < 6; round++) {
    await transfer();
    const before = await head();
    await untilHead(before + 1);
    const final = await header('finalized');
    finals.set(Number(final.number), final.hash);
    // Each round at another moment of the second between two blocks, the first one right after a block was made.
    await sleep(round * 180);
    const death = once(ended, 'exit');
    process.kill(chain.pid, 'SIGKILL');
    await death;
    chain = await start();
    for (const [number, hash] of finals) expect([number, await hashOf(number)]).toEqual([number, hash]);
    expect(await head()).toBeGreaterThanOrEqual(Number(final.number) + blocksToFinal - 1);
  }
  expect(finals.size).toBeGreaterThan(3);
}, 60_000);

test('it continues after a stop with the same blocks and receipts', async () => {
  await untilHead(1 + blocksToFinal);
  await transfer();
  await untilHead(2 + blocksToFinal);
  const number = `0x${(2 + blocksToFinal).toString(16)}`;
  const { hash } = await header(number);
  await chain.stop();
  chain = await start();
  expect((await header(number)).hash).toBe(hash);
  expect(await pool.call('eth_getBlockReceipts', number)).toHaveLength(1);
  await untilHead(2 + 2 * blocksToFinal);
}, 30_000);
