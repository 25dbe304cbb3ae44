import { createHash } from 'node:crypto';
import type { StoredMessage } from '@astro/jetstream/stored-messages';

/** What a chain begins with: differs by stream, so that one stream's rows never pass for another's. */
export const genesisOf = (stream: string): Buffer =>
  createHash('sha256').update(`astro archive 1 ${stream}`).digest();

/**
 * The hash that binds an event to everything before it: SHA-256 over the previous hash (32 bytes), the sequence and
 * the time in nanoseconds (8 bytes each, high byte first), and subject, headers and payload, each after its length in
 * 4 bytes.
 */
export function linkOf(previous: Uint8Array, event: StoredMessage): Buffer {
  const hash = createHash('sha256').update(previous);
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(BigInt(event.sequence), 0);
  head.writeBigUInt64BE(event.recordedAtNanos, 8);
  hash.update(head);
  addFields(hash, event);
  return hash.digest();
}

/** What an event says, wherever it stands: the same for the same event at another sequence. */
export function fingerprintOf(event: StoredMessage): string {
  const hash = createHash('sha256').update(String(event.recordedAtNanos));
  addFields(hash, event);
  return hash.digest('hex');
}

function addFields(hash: ReturnType<typeof createHash>, event: StoredMessage): void {
  for (const field of [Buffer.from(event.subject), event.headers, event.payload]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    hash.update(length).update(field);
  }
}
