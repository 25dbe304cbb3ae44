import { WrongBlock } from './block.js';
import { fileLimits, partsOf } from './file-parts.js';

export type ReadBlock = (cid: string) => Promise<Uint8Array>;

/** From a byte up to and without another. */
export type ByteRange = { readonly fromByte: number; readonly untilByte: number };

export const wholeFile: ByteRange = { fromByte: 0, untilByte: Infinity };

export type PlacedBlock = {
  readonly cid: string;
  readonly bytes: Uint8Array;
  /** Place in the file of its first byte. */
  readonly fromByte: number;
  readonly isList: boolean;
};

/**
 * The bytes of a file, chunk by chunk; parts outside the range are not read.
 * @throws WrongBlock when a part has another size than its list says, and whatever `read` throws
 */
export async function* readFile(
  cid: string,
  read: ReadBlock,
  range: ByteRange = wholeFile,
): AsyncGenerator<Uint8Array> {
  for await (const { bytes, fromByte, isList } of blocksOfFile(cid, read, range)) {
    if (isList) continue;
    const chunk = bytes.subarray(Math.max(0, range.fromByte - fromByte), range.untilByte - fromByte);
    if (chunk.length > 0) yield chunk;
  }
}

/** All blocks of a file that touch a range, each list before its parts. */
export async function* blocksOfFile(
  root: string,
  read: ReadBlock,
  range: ByteRange = wholeFile,
): AsyncGenerator<PlacedBlock> {
  /** What is still to be read, the next one last. */
  const places: { cid: string; fromByte: number; sizeBytes?: number }[] = [{ cid: root, fromByte: 0 }];
  for (let blocks = 1; ; blocks += 1) {
    const place = places.pop();
    if (!place) return;
    if (blocks > fileLimits.blocks) throw new WrongBlock(`${root} has more than ${fileLimits.blocks} blocks`);
    const { cid, fromByte, sizeBytes } = place;
    const bytes = await read(cid);
    const parts = partsOf(cid, bytes);
    const found = parts ? parts.reduce((sum, part) => sum + part.sizeBytes, 0) : bytes.length;
    if (sizeBytes !== undefined && sizeBytes !== found)
      throw new WrongBlock(`${cid} has ${found} bytes, not the ${sizeBytes} that its list says`);
    yield { cid, bytes, fromByte, isList: parts !== undefined };
    let untilByte = fromByte + found;
    for (const part of parts?.toReversed() ?? []) {
      const partFromByte = untilByte - part.sizeBytes;
      if (untilByte > range.fromByte && partFromByte < range.untilByte)
        places.push({ ...part, fromByte: partFromByte });
      untilByte = partFromByte;
    }
  }
}
