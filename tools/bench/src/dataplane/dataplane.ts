import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFile } from '@astro/content/write-file';
import { ContentCache } from '@astro/node-agent/content/content-cache';
import type { Benchmark } from '../benchmark.js';
import { median, rounded } from '../measure.js';

const FILE_MIB = 256;
const MIB = 1_024 * 1_024;
const QUOTA_BYTES = 2 * FILE_MIB * MIB;
/** The two ways take turns, so that what else the machine does meets both. */
const ROUNDS = 5;

type Used = { readonly processorMs: number };
/** The time is that of the processors of both sides. */
type Copied = { readonly mbPerSecond: number; readonly processorMsPerMib: number };

/** Blocks from one agent's cache into another's, checked and written, beside a plain copy of the same over HTTP. */
export const dataplane: Benchmark = {
  measures: 'blocks between two agents, checked and written, beside a plain HTTP copy',

  async run(folder, progress) {
    const file = join(folder, 'file');
    const held = join(folder, 'held');
    progress(`making a file of ${FILE_MIB} MiB and its blocks`);
    const root = await makeFile(file, held);
    const server = start('server.js', [file, held, String(QUOTA_BYTES)]);
    try {
      const ports = (await told(server)) as Record<'plainPort' | 'blockPort', number>;
      const copy = async (way: 'plain' | 'blocks', port: number): Promise<Copied> => {
        const target = join(folder, 'target');
        const words = [way, `http://127.0.0.1:${port}`, root, target, String(QUOTA_BYTES)];
        const before = await usedBy(server);
        const client = (await told(start('client.js', words))) as Used & { readonly elapsedMs: number };
        // The client copies twice, and tells of the second time.
        const served = ((await usedBy(server)) - before) / 2;
        await rm(target, { recursive: true });
        const copied = {
          mbPerSecond: (FILE_MIB * MIB) / 1_000 / client.elapsedMs,
          processorMsPerMib: (served + client.processorMs) / FILE_MIB,
        };
        const [rate, used] = [rounded(copied.mbPerSecond), rounded(copied.processorMsPerMib, 2)];
        progress(`${way}: ${rate} MB/s, ${used} ms of processors for each MiB`);
        return copied;
      };
      const plain: Copied[] = [];
      const blocks: Copied[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        plain.push(await copy('plain', ports.plainPort));
        blocks.push(await copy('blocks', ports.blockPort));
      }
      return figuresOf(plain, blocks);
    } finally {
      server.disconnect();
    }
  },
};

function figuresOf(plain: readonly Copied[], blocks: readonly Copied[]) {
  const rate = (copies: readonly Copied[]) => median(copies.map(({ mbPerSecond }) => mbPerSecond));
  const used = (copies: readonly Copied[]) =>
    median(copies.map(({ processorMsPerMib }) => processorMsPerMib));
  return {
    fileMib: FILE_MIB,
    mbPerSecond: rounded(rate(blocks)),
    plainHttpMbPerSecond: rounded(rate(plain)),
    ratio: rounded(rate(blocks) / rate(plain), 2),
    processorMsPerMib: rounded(used(blocks), 2),
    plainHttpProcessorMsPerMib: rounded(used(plain), 2),
  };
}

async function usedBy(server: ChildProcess): Promise<number> {
  const answer = told(server);
  server.send('used');
  return ((await answer) as Used).processorMs;
}

async function makeFile(path: string, cacheFolder: string): Promise<string> {
  const cache = await ContentCache.open(cacheFolder, QUOTA_BYTES);
  const file = await open(path, 'wx');
  async function* content(): AsyncGenerator<Uint8Array> {
    for (let part = 0; part < FILE_MIB; part++) {
      const bytes = randomBytes(MIB);
      await file.writeFile(bytes);
      yield bytes;
    }
  }
  try {
    return await writeFile(content(), ({ cid, bytes }) => cache.put(cid, bytes));
  } finally {
    await file.close();
  }
}

function start(program: string, words: readonly string[]): ChildProcess {
  const entry = new URL(`../../dist/dataplane/${program}`, import.meta.url).pathname;
  return fork(entry, words, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function told(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const end = () => ended.abort(new Error('a process of the benchmark ended early'));
  child.once('exit', end);
  try {
    const [message] = (await once(child, 'message', { signal: ended.signal })) as [unknown];
    return message;
  } finally {
    child.removeListener('exit', end);
  }
}
