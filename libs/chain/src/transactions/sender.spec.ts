import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { anvilMnemonic, startAnvil, type AnvilServer } from '@astro/devstack/anvil/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Wallet } from 'ethers';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { RpcRefused } from '../rpc/failures.js';
import { RpcPool } from '../rpc/pool.js';
import { walletFrom } from '../wallet.js';
import { FeesTooHigh } from './fees.js';
import { BusinessKeyReused, TransactionJournal, type Intent } from './journal.js';
import { NonceTaken, StillWaiting, TransactionSender, type SenderOptions } from './sender.js';

const chainId = 31_337;
const walletAt = (index: number) => walletFrom(anvilMnemonic, index);

let dir: string;
let anvil: AnvilServer;
let postgres: PostgresServer;
let database: pg.Pool;
let pool: RpcPool;
let journal: TransactionJournal;
let account = 0;
let wallet: Wallet;
let to: string;

const startSender = (options: Partial<SenderOptions> = {}) =>
  TransactionSender.start({ pool, wallet, chainId, journal, pollMs: 10, confirmations: 0, ...options });
/** Of one sender of its own. */
const send = async (key: string, intent: Intent, options: Partial<SenderOptions> = {}) =>
  (await startSender(options)).sender.send(key, intent);
const call = (method: string, ...params: readonly unknown[]) => pool.call(method, ...params);
const received = async () => BigInt((await call('eth_getBalance', to, 'latest')) as string);
const newAddress = () => new Wallet(`0x${randomBytes(32).toString('hex')}`).address;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-sender-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  [anvil, postgres] = await Promise.all([
    startAnvil({ dir: join(dir, 'anvil') }),
    startPostgres({ dir: join(dir, 'postgres') }),
  ]);
  pool = new RpcPool([anvil.url]);
  database = new pg.Pool({ connectionString: postgres.adminUrl });
  await database.query('create schema sending');
  journal = new TransactionJournal(database, 'sending');
  await journal.prepare();
});
beforeEach(async () => {
  await call('evm_setAutomine', true);
  wallet = walletAt(++account);
  to = newAddress();
});
afterAll(async () => {
  pool?.close();
  await database?.end();
  await anvil?.stop();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('whoever asks again under the same key gets the same transaction', async () => {
  const intent = { to, data: '0x', valueWei: 1n };
  const settled = await send('pay:1', intent);
  expect(settled.succeeded).toBe(true);
  expect(await send('pay:1', intent)).toEqual(settled);
  expect(await received()).toBe(1n);
});

test('a key stands for one action only', async () => {
  await send('pay:2', { to, data: '0x', valueWei: 1n });
  await expect(send('pay:2', { to, data: '0x', valueWei: 2n })).rejects.toThrow(BusinessKeyReused);
  expect(await received()).toBe(1n);
});

test('many senders of one account at once use each nonce once', async () => {
  const keys = Array.from({ length: 12 }, (_, index) => `crowd:${index % 6}`);
  const settled = await Promise.all(keys.map(key => send(key, { to, data: '0x', valueWei: 1n })));
  expect(new Set(settled.map(({ hash }) => hash)).size).toBe(6);
  expect(await received()).toBe(6n);
  expect(Number(await call('eth_getTransactionCount', wallet.address, 'latest'))).toBe(6);
});

test.each(['before', 'after'])(
  'a process that dies %s the chain hears of it has sent it once',
  async when => {
    const key = `crash:${when}`;
    const fixture = new URL('sender.fixture.mjs', import.meta.url).pathname;
    const args = [fixture, anvil.url, postgres.adminUrl, 'sending', wallet.privateKey, key, to, when];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(await received()).toBe(when === 'before' ? 0n : 1n);
    expect((await journal.find(key))?.settled).toBeUndefined();

    const { sender, recovered } = await startSender();
    const [action] = await recovered;
    const settled = { succeeded: true, hash: expect.any(String), block: expect.any(Number) };
    expect(action).toEqual({ key, settled });
    expect(await sender.send(key, { to, data: '0x', valueWei: 1n })).toMatchObject({ succeeded: true });
    expect(await received()).toBe(1n);
    expect(await (await startSender()).recovered).toEqual([]);
  },
);

test('a transaction that no block takes is replaced by one with the same nonce that pays more', async () => {
  await call('evm_setAutomine', false);
  const sending = send('stuck:1', { to, data: '0x', valueWei: 1n }, { replaceAfterMs: 50 });
  while (((await journal.find('stuck:1'))?.attempts.length ?? 0) < 3) await new Promise(setImmediate);
  await call('evm_mine');
  const settled = await sending;
  const { attempts, nonce } = (await journal.find('stuck:1'))!;
  expect(attempts.map(({ hash }) => hash)).toContain(settled.hash);
  const fees = attempts.map(({ feeWei }) => feeWei);
  expect(fees.every((fee, index) => index === 0 || fee * 10n > fees[index - 1]! * 11n)).toBe(true);
  expect(Number(await call('eth_getTransactionCount', wallet.address, 'latest'))).toBe(nonce + 1);
  expect(await received()).toBe(1n);
});

test('who waited long enough is told, and may wait again', async () => {
  await call('evm_setAutomine', false);
  const intent = { to, data: '0x', valueWei: 1n };
  await expect(send('patience:1', intent, { giveUpAfterMs: 50 })).rejects.toThrow(StillWaiting);
  await call('evm_mine');
  expect((await send('patience:1', intent)).succeeded).toBe(true);
  expect(await received()).toBe(1n);
});

test('a transaction counts only with its confirmations', async () => {
  const sending = send('deep:1', { to, data: '0x', valueWei: 1n }, { confirmations: 2 });
  while ((await received()) === 0n) await new Promise(setImmediate);
  expect((await journal.find('deep:1'))?.settled).toBeUndefined();
  await call('anvil_mine', '0x2');
  expect((await sending).succeeded).toBe(true);
});

test('a nonce that another wallet has taken is told, and nothing is sent twice', async () => {
  await call('evm_setAutomine', false);
  const intent = { to, data: '0x', valueWei: 1n };
  await expect(send('taken:1', intent, { giveUpAfterMs: 50 })).rejects.toThrow(StillWaiting);
  const { nonce, attempts } = (await journal.find('taken:1'))!;
  const stranger = await wallet.signTransaction({
    ...{ type: 2, chainId, nonce, to: wallet.address, gasLimit: 21_000n },
    ...{ maxFeePerGas: attempts[0]!.feeWei * 3n, maxPriorityFeePerGas: attempts[0]!.tipWei * 3n },
  });
  await call('eth_sendRawTransaction', stranger);
  await call('evm_mine');
  await expect(send('taken:1', intent)).rejects.toThrow(NonceTaken);
  expect(await received()).toBe(0n);
});

test('above the highest fee that is allowed nothing is planned', async () => {
  const sending = send('dear:1', { to, data: '0x', valueWei: 1n }, { maxFeeWei: 1n });
  await expect(sending).rejects.toThrow(FeesTooHigh);
  expect(await journal.find('dear:1')).toBeUndefined();
});

test('what the chain would revert is refused before it is planned', async () => {
  // The precompile of an elliptic-curve addition refuses points that are not on the curve.
  const bad = {
    to: '0x0000000000000000000000000000000000000006',
    data: `0x${'11'.repeat(128)}`,
    valueWei: 0n,
  };
  await expect(send('bad:1', bad)).rejects.toThrow(RpcRefused);
  expect(await journal.find('bad:1')).toBeUndefined();
});
