import { createHash } from 'node:crypto';
import { HighwayHash } from './highway-hash.js';
import type { StoredMessage } from './stored-messages.js';

/**
 * The files of a stream as the server itself backs them up: a tar in S2 framing with the stream's configuration and
 * its messages in blocks. It is the only way into a stream that keeps sequences and times.
 */

const KIB = 1_024;
/** The server begins a new block at 8 MiB; one message has at most 4 MiB and some headers. */
const BLOCK_BYTES = 3 * KIB * KIB;
const FRAME_BYTES = 64 * KIB;

/** Batches in strict order of their sequences. */
export type MessageBatches = AsyncIterable<readonly StoredMessage[]>;

/** The backup of a stream, piece by piece. `config` is what `STREAM.INFO` says. */
export async function* backupOf(
  stream: string,
  config: object,
  createdAt: Date,
  batches: MessageBatches,
): AsyncGenerator<Uint8Array> {
  yield STREAM_IDENTIFIER;
  for await (const file of filesOf(stream, config, createdAt, batches)) yield* framesOf(tarred(file));
  yield* framesOf(END_OF_TAR);
}

type File = { readonly name: string; readonly content: Uint8Array };

async function* filesOf(
  stream: string,
  config: object,
  createdAt: Date,
  batches: MessageBatches,
): AsyncGenerator<File> {
  const meta = Buffer.from(JSON.stringify({ created: createdAt.toISOString(), ...config }));
  yield { name: 'meta.inf', content: meta };
  // The sum is written as the hash's bytes, low byte first.
  yield {
    name: 'meta.sum',
    content: Buffer.from(littleEndian(hashFor(stream).digest(meta)).toString('hex')),
  };
  let index = 1;
  for await (const content of blocksOf(stream, batches)) yield { name: `msgs/${index++}.blk`, content };
}

/** Every block has a hash of its own key, so that a block in another's place is found. */
const hashFor = (name: string) => new HighwayHash(createHash('sha256').update(name).digest());

async function* blocksOf(stream: string, batches: MessageBatches): AsyncGenerator<Buffer> {
  let index = 1;
  let hash = hashFor(`${stream}-${index}`);
  let records: Buffer[] = [];
  let bytes = 0;
  for await (const batch of batches) {
    for (const message of batch) {
      const record = recordOf(message, hash);
      records.push(record);
      bytes += record.length;
      if (bytes < BLOCK_BYTES) continue;
      yield Buffer.concat(records);
      [records, bytes] = [[], 0];
      hash = hashFor(`${stream}-${++index}`);
    }
  }
  if (records.length > 0) yield Buffer.concat(records);
}

const RECORD_HEAD_BYTES = 22;
const CHECKSUM_BYTES = 8;
/** In the length of a record: it has headers. */
const HAS_HEADERS = 0x80000000;

/** length(4) sequence(8) time(8) subject length(2) subject [headers length(4) headers] payload checksum(8). */
function recordOf(message: StoredMessage, hash: HighwayHash): Buffer {
  const subject = Buffer.from(message.subject);
  const { headers, payload } = message;
  const headersBytes = headers.length > 0 ? 4 + headers.length : 0;
  const length = RECORD_HEAD_BYTES + subject.length + headersBytes + payload.length + CHECKSUM_BYTES;
  const record = Buffer.alloc(length);
  record.writeUInt32LE(headers.length > 0 ? (length | HAS_HEADERS) >>> 0 : length, 0);
  record.writeBigUInt64LE(BigInt(message.sequence), 4);
  record.writeBigUInt64LE(message.recordedAtNanos, 12);
  record.writeUInt16LE(subject.length, 20);
  record.set(subject, RECORD_HEAD_BYTES);
  let offset = RECORD_HEAD_BYTES + subject.length;
  if (headers.length > 0) {
    offset = record.writeUInt32LE(headers.length, offset);
    record.set(headers, offset);
    offset += headers.length;
  }
  record.set(payload, offset);
  const summed = Buffer.concat([record.subarray(4, 20), subject, headers, payload]);
  record.writeBigUInt64LE(hash.digest(summed), length - CHECKSUM_BYTES);
  return record;
}

function littleEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

const TAR_BLOCK_BYTES = 512;
const END_OF_TAR = Buffer.alloc(2 * TAR_BLOCK_BYTES);

/** POSIX.1-1988 (ustar). */
function tarred({ name, content }: File): Buffer {
  const head = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value: number, offset: number, width: number) =>
    head.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, 'latin1');
  head.write(name, 0, 'latin1');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  // The checksum is taken over a head whose own checksum is blank.
  head.write('        0', 148, 'latin1');
  head.write('ustar\x0000', 257, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const padding = (TAR_BLOCK_BYTES - (content.length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
  return Buffer.concat([head, content, Buffer.alloc(padding)]);
}

/** S2 and Snappy framing: compression is optional, and a restore is too rare to need it. */
const STREAM_IDENTIFIER = Buffer.from('\xff\x06\x00\x00S2sTwO', 'latin1');
const UNCOMPRESSED_FRAME = 0x01;

function* framesOf(data: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < data.length; offset += FRAME_BYTES) {
    const body = data.subarray(offset, offset + FRAME_BYTES);
    const head = Buffer.alloc(8);
    head.writeUInt8(UNCOMPRESSED_FRAME, 0);
    head.writeUIntLE(body.length + 4, 1, 3);
    head.writeUInt32LE(masked(crc32c(body)), 4);
    yield Buffer.concat([head, body]);
  }
}

const CASTAGNOLI = 0x82f63b78;
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc;
});

function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** As the framing format asks, so that data which holds its own checksum does no harm. */
const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
