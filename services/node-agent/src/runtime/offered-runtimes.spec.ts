import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Log, silent } from '@astro/jetstream/log';
import { ContainerRuntime } from '../container/container-runtime.js';
import { ProcessRuntime } from '../process/process-runtime.js';
import { OfferedRuntimes } from './offered-runtimes.js';
import type { TaskRuntime } from './task-runtime.js';
import { WasmRuntime } from './wasm-runtime.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

let stateDir: string;
let withoutBubblewrap: TaskRuntime;
let withoutEngine: TaskRuntime;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-offered-'));
  withoutBubblewrap = new ProcessRuntime({
    bubblewrap: join(stateDir, 'bwrap'),
    stateDir,
    rootFolder: undefined,
    networkNamespace: undefined,
    limits: 'each',
    firstUserId: 2_000_003_000,
  });
  const engine = join(stateDir, 'engine.sock');
  withoutEngine = new ContainerRuntime({ engine, stateDir, network: undefined, deviceIds: [] });
});

afterAll(() => rm(stateDir, { recursive: true }));

test('what does not work here is told with the reason and the advice, and not offered', async () => {
  const told: unknown[] = [];
  const log: Log = { ...silent, warn: (_, fields) => told.push(fields) };
  const offered = await OfferedRuntimes.probe([new WasmRuntime(), withoutBubblewrap, withoutEngine], log);
  expect(offered.names).toEqual(['wasm']);
  expect(told).toEqual([
    {
      runtime: 'process',
      reason: expect.stringMatching(/cannot be executed: install bubblewrap, or name it/),
    },
    { runtime: 'container', reason: expect.stringMatching(/ENOENT.*: start an engine, or name its socket/) },
  ]);
  await offered.close();
});

test('a machine on which nothing works has nothing to offer', async () => {
  const probing = OfferedRuntimes.probe([withoutBubblewrap, withoutEngine], silent);
  await expect(probing).rejects.toThrow('no runtime is available on this machine');
});
