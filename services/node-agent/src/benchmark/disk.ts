import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { medianOf, type Measured } from './figure.ts';

const RUNS = 3;
const BLOCK_BYTES = 1024 * 1024;
/** Enough to outlast the first burst of most disks, and little enough to be written in a second. */
const FILE_BLOCKS = 64;
const RUN_MAX_MS = 1_000;

export type DiskMeasured = {
  readonly write: Measured;
  readonly read: Measured;
  /** The file system has no reads past the kernel's cache: the figure is of memory. */
  readonly isReadCached: boolean;
};

/** In MiB a second, of the disk that this folder is on. What is written is gone afterwards. */
export async function measureDisk(folder: string): Promise<DiskMeasured> {
  const path = join(folder, `.benchmark-${randomUUID()}`);
  // The memory of WebAssembly begins at a page, as reads past the cache need it.
  const block = new Uint8Array(new WebAssembly.Memory({ initial: BLOCK_BYTES / 65_536 }).buffer);
  // What compresses to nothing says nothing about a disk that compresses.
  for (let offset = 0; offset < BLOCK_BYTES; offset += 65_536)
    crypto.getRandomValues(block.subarray(offset, offset + 65_536));
  try {
    const writes: number[] = [];
    for (let run = 0; run < RUNS; run++)
      writes.push(await rateOf(path, 'w', file => writeBlocks(file, block)));
    const { flags, isReadCached } = await readFlags(path);
    const reads: number[] = [];
    for (let run = 0; run < RUNS; run++)
      reads.push(await rateOf(path, flags, file => readBlocks(file, block)));
    return { write: medianOf(writes), read: medianOf(reads), isReadCached };
  } finally {
    await rm(path, { force: true });
  }
}

async function readFlags(path: string): Promise<{ flags: number; isReadCached: boolean }> {
  const direct = constants.O_RDONLY | constants.O_DIRECT;
  try {
    await (await open(path, direct)).close();
    return { flags: direct, isReadCached: false };
  } catch {
    return { flags: constants.O_RDONLY, isReadCached: true };
  }
}

async function rateOf(
  path: string,
  flags: string | number,
  move: (file: FileHandle) => Promise<number>,
): Promise<number> {
  const file = await open(path, flags, 0o600);
  try {
    const beganMs = performance.now();
    const blocks = await move(file);
    const passedMs = performance.now() - beganMs;
    return (blocks * BLOCK_BYTES * 1_000) / (1024 * 1024 * passedMs);
  } finally {
    await file.close();
  }
}

/** Counts when it is on the disk, which is where a program's output has to be. */
async function writeBlocks(file: FileHandle, block: Uint8Array): Promise<number> {
  const blocks = await untilSpent(index => file.write(block, 0, BLOCK_BYTES, index * BLOCK_BYTES));
  await file.datasync();
  return blocks;
}

async function readBlocks(file: FileHandle, block: Uint8Array): Promise<number> {
  let isAtEnd = false;
  const blocks = await untilSpent(async index => {
    if (isAtEnd) return;
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, index * BLOCK_BYTES);
    isAtEnd = bytesRead < BLOCK_BYTES;
  });
  return blocks;
}

/** Block after block, up to the size of the file or the time of a run. */
async function untilSpent(move: (index: number) => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  let index = 0;
  while (index < FILE_BLOCKS && performance.now() - beganMs < RUN_MAX_MS) {
    await move(index);
    index += 1;
  }
  return index;
}
