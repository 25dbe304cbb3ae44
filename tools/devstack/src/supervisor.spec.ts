import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';
import { commandLineOf, isAlive } from './process-identity.js';
import { ProcessRegister } from './process-register.js';
import { StateFolder } from './state.js';
import { restartDelayMs, type ProcessPlan } from './supervised-process.js';
import { Supervisor } from './supervisor.js';

let dir: string;
let state: StateFolder;
let register: ProcessRegister;
let supervisor: Supervisor;
let lines: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'astro-supervisor-spec-'));
  state = StateFolder.open(join(dir, 'state'));
  register = new ProcessRegister(state);
  lines = [];
  supervisor = new Supervisor((source, line) => lines.push(`${source}: ${line}`), register);
});

afterEach(async () => {
  await supervisor.stop(supervisor.names);
  state.close();
  rmSync(dir, { recursive: true, force: true });
});

function script(name: string, source: string): string {
  const path = join(dir, `${name}.mjs`);
  writeFileSync(path, source);
  return path;
}

/** Ready at once; says when it was asked to stop. */
const wellBehaved = `
  import { createServer } from 'node:http';
  const server = createServer((request, response) => response.end('ready'));
  server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
  process.on('SIGTERM', () => { console.log('stopping'); server.close(); server.closeAllConnections(); });
`;

async function plan(name: string, source: string): Promise<ProcessPlan> {
  const port = await freePort();
  return {
    name,
    script: script(name, source),
    env: { PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/health/ready`,
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

test('a started process is ready, and its lines carry its name', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  expect(isAlive(supervisor.pid('worker')!)).toBe(true);
  await until(() => lines.includes('worker: listening'));
});

test('a process that was killed is started again under another id', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  const first = supervisor.pid('worker');
  supervisor.kill('worker', 'SIGKILL');
  await until(() => supervisor.pid('worker') !== first);
  await supervisor.untilReady('worker');
  expect(isAlive(supervisor.pid('worker')!)).toBe(true);
  expect(isAlive(first!)).toBe(false);
  expect(lines).toContain('worker: ended with SIGKILL; restarts in 200 ms');
});

test('each failure in a row doubles the delay, up to ten seconds', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 100].map(restartDelayMs)).toEqual([
    200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000,
  ]);
});

test('a process that keeps being killed once it was ready is never given up', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  for (let kills = 0; kills < 4; kills++) {
    supervisor.kill('worker', 'SIGKILL');
    await until(() => supervisor.pid('worker') === undefined);
    await until(() => supervisor.pid('worker') !== undefined);
  }
  await supervisor.untilReady('worker');
}, 20_000);

test('a process that ends before it was ever ready is given up after three times, with what it said', async () => {
  const broken = plan('broken', `console.error('configuration: POOL_ID: is not set'); process.exit(1);`);
  await expect(supervisor.start(await broken)).rejects.toThrow('configuration: POOL_ID: is not set');
  expect(supervisor.names).toEqual([]);
  expect(lines.filter(line => line.startsWith('broken: configuration'))).toHaveLength(3);
});

test('a stopped process was asked to stop, ends, and stays down', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  const pid = supervisor.pid('worker')!;
  await supervisor.stop(['worker']);
  expect(isAlive(pid)).toBe(false);
  expect(lines).toContain('worker: stopping');
  expect(supervisor.names).toEqual([]);
});

test('a destroyed process ends without being asked and stays down', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  const pid = supervisor.pid('worker')!;
  await supervisor.destroy('worker');
  expect(isAlive(pid)).toBe(false);
  expect(lines).not.toContain('worker: stopping');
  expect(supervisor.names).toEqual([]);
});

test('a process that waits for its restart can be stopped, and is not started any more', async () => {
  await supervisor.start(await plan('worker', wellBehaved));
  supervisor.kill('worker', 'SIGKILL');
  await until(() => supervisor.pid('worker') === undefined);
  await supervisor.stop(['worker']);
  await sleep(restartDelayMs(1) * 2);
  expect(lines.filter(line => line === 'worker: listening')).toHaveLength(1);
});

test('a start that is called off leaves nothing running', async () => {
  const neverReady = await plan('slow', `console.log(process.pid); setInterval(() => undefined, 1_000);`);
  const calledOff = new AbortController();
  const starting = supervisor.start(neverReady, calledOff.signal);
  await until(() => lines.length > 0);
  calledOff.abort();
  await expect(starting).rejects.toThrow();
  expect(isAlive(Number(lines[0]!.split(' ')[1]))).toBe(false);
});

describe('processes that outlived a supervisor', () => {
  const orphan = () =>
    spawn(process.execPath, [script('orphan', 'setInterval(() => undefined, 1_000);')], { stdio: 'ignore' });

  test('are stopped by the next one', async () => {
    const left = orphan();
    register.add('left', left.pid!);
    expect(await new ProcessRegister(state).stopLeftovers()).toEqual(['left']);
    expect(commandLineOf(left.pid!)).toBeUndefined();
    expect(await new ProcessRegister(state).stopLeftovers()).toEqual([]);
  });

  test('are left alone when their id belongs to another program by now', async () => {
    const stranger = orphan();
    register.add('left', stranger.pid!);
    const [entry] = state.read<{ name: string; pid: number; commandLine: string }[]>('processes')!;
    state.write('processes', [{ ...entry!, commandLine: `${process.execPath} something-else.mjs` }]);
    expect(await new ProcessRegister(state).stopLeftovers()).toEqual([]);
    expect(commandLineOf(stranger.pid!)).toContain('orphan.mjs');
    stranger.kill('SIGKILL');
  });
});
