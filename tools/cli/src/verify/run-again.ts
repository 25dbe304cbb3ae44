import { readFile as readBytes } from 'node:fs/promises';
import { join } from 'node:path';
import { joined } from '@astro/content/block';
import { download } from '@astro/content/download';
import { httpBlockSource } from '@astro/content/http-block-source';
import { readFile } from '@astro/content/read-file';
import { SourceRanks } from '@astro/content/source-ranks';
import { BlockMissing, type BlockSource, type BlockStore } from '@astro/content/sources';
import type { Output } from '@astro/messages/scheduling';
import { resultOfRun } from '@astro/node-agent/runs/result-of-run';
import { Sandbox } from '@astro/node-agent/sandbox/sandbox';
import type { Claim, Statement } from '@astro/verification/evidence/statement';

/** Reading what the program needs, from wherever it is. */
const FETCH_MAX_MS = 300_000;

/**
 * Fetches program and inputs by their content ids, runs the program as a node would, and holds what comes out against
 * what the evidence says.
 * @param content a folder of files that are named by their content ids, or the URL of a trustless gateway
 * @returns what of the evidence the run contradicts
 * @throws the last source's error when something cannot be had
 */
export async function flawsByRunning(statement: Statement, content: string): Promise<readonly string[]> {
  const { program, agreed, accused, refuted } = statement;
  if ((program.runtime ?? 'wasm') !== 'wasm')
    return [`statement.program.runtime: is ${program.runtime}, and only WebAssembly can be run again here`];
  if (agreed.some(({ isEncrypted }) => isEncrypted))
    return ['statement.agreed: is of an encrypted job, which only the nodes that it names can run again'];
  const found = await resultOf(statement, content);
  const claimOfAccused = refuted.find(({ leaseId }) => leaseId === accused.leaseId);
  const flaws: string[] = [];
  if (claimOfAccused && isSame(found, claimOfAccused))
    flaws.push('statement.accused: the program gives what the accused said');
  if (agreed.some(claim => !isSame(found, claim)))
    flaws.push(`statement.agreed: the program gives another result, with the digest ${found.digest}`);
  return flaws;
}

type Found = Pick<Claim, 'fault' | 'digest' | 'outputs'>;

async function resultOf(statement: Statement, content: string): Promise<Found> {
  const { program, inputs, args, taskId } = statement;
  const files = new FetchedFiles(sourceOf(content));
  const { timeLimitMs, memoryLimitMib, outputLimitBytes, fuelLimit } = program;
  const limits = {
    timeLimitMs,
    memoryLimitMib,
    outputLimitBytes,
    ...(fuelLimit !== undefined && { fuelLimit }),
  };
  const named = [];
  for (const { name, cid } of inputs) named.push({ name, bytes: await files.read(cid) });
  const sandbox = new Sandbox();
  try {
    const run = { program: await files.read(program.cid), inputs: named, args, limits, seed: taskId };
    return await resultOfRun(await sandbox.run(run, new AbortController().signal));
  } finally {
    await sandbox.close();
  }
}

const isSame = (found: Found, claim: Claim): boolean =>
  found.fault === claim.fault && found.digest === claim.digest && listOf(found) === listOf(claim);

const listOf = ({ outputs }: Found): string =>
  JSON.stringify(outputs.map(({ name, cid, sizeBytes }: Output) => [name, cid, sizeBytes]).toSorted());

function sourceOf(content: string): BlockSource {
  const key = process.env['ASTRO_KEY'];
  if (/^https?:/.test(content))
    return httpBlockSource({
      url: content.replace(/\/+$/, ''),
      authorization: () => (key === undefined ? '' : `Bearer ${key}`),
      // Whoever runs this has named it.
      takesPrivateAddresses: true,
    });
  return {
    name: content,
    async fetch(cid) {
      try {
        return await readBytes(join(content, cid));
      } catch (cause) {
        throw new BlockMissing(`${content} has no file ${cid}`, { cause });
      }
    },
  };
}

/** Files whose every block has the bytes that its content id says. */
class FetchedFiles implements BlockStore {
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #ranks = new SourceRanks();

  constructor(private readonly source: BlockSource) {}

  get(cid: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#blocks.get(cid));
  }

  has(cid: string): boolean {
    return this.#blocks.has(cid);
  }

  put(cid: string, bytes: Uint8Array): Promise<void> {
    this.#blocks.set(cid, new Uint8Array(bytes));
    return Promise.resolve();
  }

  async read(cid: string): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(FETCH_MAX_MS);
    await download(cid, { store: this, sources: [this.source], ranks: this.#ranks, signal });
    const chunks: Uint8Array[] = [];
    for await (const chunk of readFile(cid, block => Promise.resolve(this.#blocks.get(block)!)))
      chunks.push(chunk);
    return joined(chunks);
  }
}
