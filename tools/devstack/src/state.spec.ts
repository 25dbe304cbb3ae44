import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PortBook, portGiven } from './port-book.js';
import { freePort } from './ports.js';
import { commandLineOf } from './process-identity.js';
import { StateInUse } from './state-claim.js';
import { StateFolder } from './state.js';

let dir: string;
let home: string;
let squatter: Server | undefined;
let other: ChildProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'astro-state-spec-'));
  home = join(dir, 'home');
});

afterEach(() => {
  squatter?.close();
  other?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const squat = (port: number, host = '127.0.0.1') =>
  new Promise<void>(resolve => {
    squatter = createServer().listen(port, host, () => resolve());
  });

describe('a state folder', () => {
  test('keeps what was made once, readable by its owner only', async () => {
    const first = StateFolder.open(home);
    expect(await first.once('secret', () => ({ value: 1 }))).toEqual({ value: 1 });
    first.close();
    const second = StateFolder.open(home);
    expect(await second.once('secret', () => ({ value: 2 }))).toEqual({ value: 1 });
    expect(statSync(join(home, 'secret.json')).mode & 0o777).toBe(0o600);
    second.close();
  });

  test('belongs to one running process at a time', () => {
    const first = StateFolder.open(home);
    expect(() => StateFolder.open(home)).toThrow(StateInUse);
    expect(() => StateFolder.open(home)).toThrow(`process ${process.pid}`);
    first.close();
    StateFolder.open(home).close();
  });

  test('is not held by a process that ended, nor by another program with its id', () => {
    StateFolder.open(home).close();
    other = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1_000)'], { stdio: 'ignore' });
    const claimOf = (pid: number, commandLine: string | undefined) =>
      writeFileSync(join(home, 'claim'), JSON.stringify({ pid, commandLine }));
    claimOf(other.pid!, 'node something-else.mjs');
    StateFolder.open(home).close();
    claimOf(other.pid!, commandLineOf(other.pid!));
    expect(() => StateFolder.open(home)).toThrow(StateInUse);
  });

  test('is forgotten whole', () => {
    const state = StateFolder.open(home);
    state.write('secret', 1);
    expect(StateFolder.isOne(home)).toBe(true);
    state.forget();
    expect(existsSync(home)).toBe(false);
    expect(StateFolder.isOne(home)).toBe(false);
  });

  test('is never made of a folder with something else in it', () => {
    mkdirSync(home);
    writeFileSync(join(home, 'letter.txt'), 'dear Ada');
    expect(() => StateFolder.open(home)).toThrow('name another folder');
    expect(StateFolder.isOne(home)).toBe(false);
  });
});

describe('ports', () => {
  test('a port that is listened on, on whatever address, is never given out', async () => {
    const port = await freePort();
    await squat(port, '0.0.0.0');
    expect(await freePort(port)).not.toBe(port);
  });

  test('a restart gets the same ports, and another one for a port that was taken meanwhile', async () => {
    const state = StateFolder.open(home);
    const first = new PortBook(state, {}, {});
    const [gateway, registry] = [await first.portFor('gateway'), await first.portFor('registry')];
    expect(gateway).not.toBe(registry);
    await squat(gateway);
    const second = new PortBook(state, {}, {});
    expect(await second.portFor('registry')).toBe(registry);
    expect(await second.portFor('gateway')).not.toBe(gateway);
    state.close();
  });

  test('a port is given once, even while nobody listens on it yet', async () => {
    const state = StateFolder.open(home);
    const port = await freePort();
    const book = new PortBook(state, { gateway: port, registry: port }, {});
    expect(await book.portFor('gateway')).toBe(port);
    expect(await book.portFor('registry')).not.toBe(port);
    state.close();
  });

  test('whoever stands in front of a server is told where it listens, once it has a port', async () => {
    const state = StateFolder.open(home);
    expect(() => portGiven(home, 'nats')).toThrow('has no port for nats yet');
    const port = await new PortBook(state, {}, {}).portFor('nats');
    expect(portGiven(home, 'nats')).toBe(port);
    state.close();
  });

  test('a port that the environment names is taken or refused, never replaced', async () => {
    const state = StateFolder.open(home);
    const port = await freePort();
    const asked = (value: string) => new PortBook(state, {}, { ASTRO_NODE_AGENT_PORT: value });
    expect(await asked(String(port)).portFor('node-agent')).toBe(port);
    await squat(port);
    await expect(asked(String(port)).portFor('node-agent')).rejects.toThrow(`ASTRO_NODE_AGENT_PORT=${port}`);
    await expect(asked('http').portFor('node-agent')).rejects.toThrow('not a port number');
    state.close();
  });
});
