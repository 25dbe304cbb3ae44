import { decode } from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { parseCid } from '@astro/messages/content-id';
import { WrongBlock } from './block.js';

/** Where a part of a file is found, and how many of its bytes. */
export type Part = { readonly cid: string; readonly sizeBytes: number };

/** As many as the profile that files are made by allows. */
export const PARTS_MAX = 1_024;

export const fileLimits = {
  /** A task holds its inputs in memory. */
  bytes: 1024 * 1024 * 1024,
  /** Lists may name one block many times over, so that the work needs a limit of its own. */
  blocks: 16_384,
} as const;

/**
 * The parts of a file in their order, as its root or a list below it tells; undefined for raw bytes, which have none.
 * @throws WrongBlock when it is no list of a file's parts: directories, data within the list and other codecs are not
 * taken
 */
export function partsOf(cid: string, bytes: Uint8Array): readonly Part[] | undefined {
  const parsed = parseCid(cid);
  if ('rule' in parsed) throw new WrongBlock(`${cid.slice(0, 80)}: ${parsed.rule}`);
  if (parsed.codec === 'raw') return undefined;
  const { links, node } = decoded(cid, bytes);
  const flaw = (what: string) => new WrongBlock(`${cid} is no list of a file's parts: ${what}`);
  if (node.type !== 'file') throw flaw(`it is of type ${node.type}`);
  if (node.data !== undefined && node.data.length > 0) throw flaw('it holds data itself');
  if (links.length !== node.blockSizes.length) throw flaw('a part has no size');
  if (links.length > PARTS_MAX) throw flaw(`it has more than ${PARTS_MAX} parts`);
  return links.map(({ Hash }, index) => {
    const part = Hash.toString();
    const sizeBytes = Number(node.blockSizes[index]);
    if ('rule' in parseCid(part)) throw flaw(`a part has another form of content id`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) throw flaw('a part has no proper size');
    return { cid: part, sizeBytes };
  });
}

/** Size of the file below a block. */
export function fileSizeBytes(cid: string, bytes: Uint8Array): number {
  const parts = partsOf(cid, bytes);
  return parts ? parts.reduce((sum, part) => sum + part.sizeBytes, 0) : bytes.length;
}

function decoded(cid: string, bytes: Uint8Array) {
  try {
    const { Links: links, Data: data } = decode(bytes);
    return { links, node: UnixFS.unmarshal(data ?? new Uint8Array()) };
  } catch (cause) {
    throw new WrongBlock(`${cid} cannot be decoded`, { cause });
  }
}

export const isList = (cid: string): boolean => {
  const parsed = parseCid(cid);
  return 'codec' in parsed && parsed.codec === 'dag-pb';
};
