import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bus } from '@astro/jetstream/bus';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNats } from './server.js';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-nats-'));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

test('what was acknowledged survives a crash, on the same port', async () => {
  const exits: string[] = [];
  const first = await startNats({ dir, onExit: reason => exits.push(reason) });
  const before = await Bus.connect({ servers: first.url, name: 'spec' });
  await before.jsm.streams.add({ name: 'KEPT', subjects: ['kept'] });
  await before.js.publish('kept', 'this');
  await before.connection.close();
  await first.kill();
  const second = await startNats({ dir, port: first.port });
  const after = await Bus.connect({ servers: second.url, name: 'spec' });
  expect(second.url).toBe(first.url);
  expect((await after.jsm.streams.getMessage('KEPT', { seq: 1 }))?.string()).toBe('this');
  await after.close();
  await second.stop();
  expect(exits).toEqual([]);
}, 120_000);

test('a death that nobody asked for is told', async () => {
  let told: (reason: string) => void = () => undefined;
  const exit = new Promise<string>(resolve => (told = resolve));
  const server = await startNats({ dir, onExit: reason => told(reason) });
  process.kill(server.pid, 'SIGKILL');
  expect(await exit).toBe('nats-server ended with SIGKILL');
  await server.stop();
});

test('a port that is taken by something else is a clear error', async () => {
  const other = createServer(socket => socket.end('SSH-2.0-other\r\n')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await expect(startNats({ dir, port })).rejects.toThrow(`nats-server did not start on port ${port}`);
  other.close();
}, 30_000);
