import { CarWriter } from '@ipld/car/writer';
import { CID } from 'multiformats/cid';
import { blocksOfFile, type ByteRange, type ReadBlock } from './read-file.js';

/** A CAR of version 1: the blocks of a file that touch a range, each once, in the order of the file. */
export async function* carOf(root: string, read: ReadBlock, range: ByteRange): AsyncGenerator<Uint8Array> {
  const { writer, out } = CarWriter.create([CID.parse(root)]);
  let failure: { readonly cause: unknown } | undefined;
  const write = async () => {
    const written = new Set<string>();
    for await (const { cid, bytes } of blocksOfFile(root, read, range)) {
      if (written.has(cid)) continue;
      written.add(cid);
      await writer.put({ cid: CID.parse(cid), bytes });
    }
  };
  const writing = write()
    .catch((cause: unknown) => (failure = { cause }))
    .finally(() => writer.close());
  yield* out;
  await writing;
  // A CAR that is cut off must not look whole.
  if (failure) throw failure.cause;
}
