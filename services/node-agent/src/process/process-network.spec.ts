import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { bubblewrapBinary } from '@astro/devstack/bubblewrap';
import type { Assignment } from '@astro/messages/agent';
import { ProcessRuntime } from './process-runtime.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

let folder: string;
let runtime: ProcessRuntime;

/** A namespace of its own, as an operator makes one and lets it out by rules of his. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-network-'));
  const networkNamespace = join(folder, 'namespace');
  await writeFile(networkNamespace, '');
  if (isRoot) await run('unshare', [`--net=${networkNamespace}`, 'true']);
  runtime = new ProcessRuntime({
    bubblewrap: await bubblewrapBinary(),
    stateDir: folder,
    rootFolder: undefined,
    networkNamespace,
    limits: 'each',
    firstUserId: 2_000_002_000,
  });
});

afterAll(async () => {
  await runtime.close();
  if (isRoot) await run('umount', [join(folder, 'namespace')]);
  await rm(folder, { recursive: true });
});

async function networkOf(needsNetwork: boolean): Promise<string> {
  const assignment: Assignment = {
    poolId: 'main',
    leaseId: 'lease_1',
    jobId: 'job_1',
    taskId: 'task_1',
    fencingToken: 1,
    deadline: new Date(0),
    program: {
      cid: '',
      runtime: 'process',
      needsNetwork,
      timeLimitMs: 30_000,
      memoryLimitMib: 64,
      outputLimitBytes: 100,
    },
    inputs: [],
    args: [],
    attestations: [],
  };
  const program = new TextEncoder().encode('#!/bin/sh\nid -u\nreadlink /proc/self/ns/net');
  const { stdoutTail } = await runtime.run(assignment, { program, inputs: [] }, new AbortController().signal);
  return stdoutTail;
}

describe('a network namespace of the operator', () => {
  test('is offered where the agent can enter it, and else the reason why not', async () => {
    expect(await runtime.available()).toMatchObject(
      isRoot
        ? { isAvailable: true, hasNetwork: true }
        : { isAvailable: false, reason: expect.stringContaining('only root') },
    );
  });

  test('is where a program runs that needs a network, and no other', async () => {
    if (!isRoot) return expect(networkOf(true)).rejects.toThrow();
    const { ino } = await stat(join(folder, 'namespace'));
    expect(await networkOf(true)).toBe(`1000\nnet:[${ino}]\n`);
    const own = await networkOf(false);
    expect(own).toMatch(/^1000\nnet:\[\d+\]\n$/);
    expect(own).not.toContain(`[${ino}]`);
    expect(own).not.toContain(`[${(await stat('/proc/self/ns/net')).ino}]`);
  });
});
