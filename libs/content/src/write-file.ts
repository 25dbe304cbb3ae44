import { importer } from 'ipfs-unixfs-importer';
import { fixedSize } from 'ipfs-unixfs-importer/chunker';
import { balanced } from 'ipfs-unixfs-importer/layout';
import type { CID } from 'multiformats/cid';
import type { Block } from './block.js';
import { PARTS_MAX } from './file-parts.js';

export const CHUNK_BYTES = 1024 * 1024;

export type Shape = { readonly chunkBytes: number; readonly partsMax: number };

/** The profile `unixfs-v1-2025`, so that other tools give the same file the same id. */
const profile: Shape = { chunkBytes: CHUNK_BYTES, partsMax: PARTS_MAX };

/**
 * Cuts a file into blocks, the list of parts after the parts. What fits into one chunk is one raw block, which has
 * the id that it has always had.
 * @returns the id of the whole file
 */
export async function writeFile(
  content: Uint8Array | AsyncIterable<Uint8Array>,
  put: (block: Block) => Promise<void>,
  { chunkBytes, partsMax }: Shape = profile,
): Promise<string> {
  const storage = {
    async put(cid: CID, bytes: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<CID> {
      if (!(bytes instanceof Uint8Array)) throw new TypeError('a block is one array of bytes');
      await put({ cid: cid.toString(), bytes });
      return cid;
    },
  };
  const options = {
    rawLeaves: true,
    cidVersion: 1,
    reduceSingleLeafToSelf: true,
    leafType: 'raw',
    chunker: fixedSize({ chunkSize: chunkBytes }),
    layout: balanced({ maxChildrenPerNode: partsMax }),
  } as const;
  let root: string | undefined;
  for await (const { cid } of importer([{ content }], storage, options)) root = cid.toString();
  if (root === undefined) throw new Error('the file has no root');
  return root;
}
