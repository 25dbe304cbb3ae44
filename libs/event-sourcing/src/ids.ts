import { createHash } from 'node:crypto';
import { TypeID, typeid } from 'typeid-js';

/** A new TypeID, for example `job_01h455vb4pex5vsknk084sn02q`: made at the edge, never in a decider. */
export const newId = (prefix: string): string => typeid(prefix).toString();

/** Whether `text` is a TypeID with this prefix. */
export function isId(prefix: string, text: string): boolean {
  try {
    return TypeID.fromString(text).getType() === prefix;
  } catch {
    return false;
  }
}

/**
 * A TypeID that follows from `parts`: the same parts give the same id on every machine and in every replay.
 * It holds a UUIDv8 (RFC 9562, section 5.8) of the first 122 bits of a SHA-256.
 */
export function derivedId(prefix: string, ...parts: readonly (string | number)[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  return TypeID.fromUUID(prefix, uuid).toString();
}
