import { BLOCK_BYTES_MAX, RAW_FILE_BYTES_MAX, WrongBlock } from './block.js';
import { BlockFetching } from './block-fetching.js';
import { fileLimits, fileSizeBytes, isList, partsOf } from './file-parts.js';
import type { BlockStore, DownloadParts } from './sources.js';

/**
 * Brings all blocks of a file into the store, from several sources at once. What is there already is not asked for, so
 * that a download which was cut goes on where it was.
 * @returns bytes that were fetched
 * @throws WrongBlock when it is no file or one that is too large; the last source's error when none is left; the
 * signal's reason
 */
export async function download(root: string, parts: DownloadParts): Promise<number> {
  const { store } = parts;
  const fetching = new BlockFetching(parts);
  const rootLimitBytes = isList(root) ? BLOCK_BYTES_MAX : RAW_FILE_BYTES_MAX;
  if (!store.has(root)) await fetching.bring(new Map([[root, rootLimitBytes]]));
  const sizeBytes = fileSizeBytes(root, await stored(store, root));
  if (sizeBytes > fileLimits.bytes)
    throw new WrongBlock(`${root} has ${sizeBytes} bytes, and a file at most ${fileLimits.bytes}`);
  let level = new Map([[root, sizeBytes]]);
  for (let blocks = 1; level.size > 0; blocks += level.size) {
    if (blocks > fileLimits.blocks) throw new WrongBlock(`${root} has more than ${fileLimits.blocks} blocks`);
    await fetching.bring(missingOf(level, store));
    level = await listedIn(level, store);
  }
  return fetching.fetchedBytes;
}

/** How large each of the blocks may be that are not there: a list is as large as its own bytes, not what it lists. */
const missingOf = (level: ReadonlyMap<string, number>, store: BlockStore): Map<string, number> =>
  new Map(
    [...level]
      .filter(([cid]) => !store.has(cid))
      .map(([cid, sizeBytes]) => [cid, isList(cid) ? BLOCK_BYTES_MAX : Math.min(sizeBytes, BLOCK_BYTES_MAX)]),
  );

/** The parts of all lists among these blocks. */
async function listedIn(level: ReadonlyMap<string, number>, store: BlockStore): Promise<Map<string, number>> {
  const listed = new Map<string, number>();
  for (const [cid, sizeBytes] of level) {
    if (!isList(cid)) continue;
    const bytes = await stored(store, cid);
    // What is listed may not grow on the way down, or the limit on the file would be none.
    if (fileSizeBytes(cid, bytes) !== sizeBytes)
      throw new WrongBlock(`${cid} has another size than it should`);
    for (const part of partsOf(cid, bytes) ?? []) listed.set(part.cid, part.sizeBytes);
  }
  return listed;
}

async function stored(store: BlockStore, cid: string): Promise<Uint8Array> {
  const bytes = await store.get(cid);
  if (!bytes) throw new Error(`${cid} is gone from the store; is its quota too small for the file?`);
  return bytes;
}
