import { fail, readInput } from '../../wasi/wasi';

export const PIXELS: i32 = 784;
const MAGIC: u32 = 0x31474944; // "DIG1"
const HEADER_BYTES: i32 = 12;

/** Images and, where `isLabelled`, what they show; the README has the format. */
export class Shard {
  constructor(
    private readonly bytes: Uint8Array,
    readonly count: i32,
    readonly isLabelled: bool,
  ) {}

  image(index: i32): usize {
    return this.bytes.dataStart + HEADER_BYTES + index * PIXELS;
  }

  label(index: i32): i32 {
    return load<u8>(this.bytes.dataStart + HEADER_BYTES + this.count * PIXELS + index);
  }
}

export function readShard(): Shard {
  const bytes = readInput('shard');
  if (bytes.length < HEADER_BYTES || load<u32>(bytes.dataStart) != MAGIC) fail('the shard has no header');
  const count = load<u32>(bytes.dataStart, 4);
  const isLabelled = load<u32>(bytes.dataStart, 8) == 1;
  const expected = <u64>HEADER_BYTES + <u64>count * (<u64>PIXELS + (isLabelled ? 1 : 0));
  if (<u64>bytes.length != expected) fail('the shard is not as long as its header says');
  const shard = new Shard(bytes, count, isLabelled);
  for (let i = 0; isLabelled && i < shard.count; i++) if (shard.label(i) > 9) fail('a label is no digit');
  return shard;
}
