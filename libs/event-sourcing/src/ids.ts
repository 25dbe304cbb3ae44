import { hash } from 'node:crypto';
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
  const bytes = hash('sha256', JSON.stringify(parts), 'buffer').subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${base32(bytes)}`;
}

/** Crockford's alphabet in lower case, as TypeID 0.3 has it. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** The 26 digits of 16 bytes, which stand for 130 bits: the first two are zeros. Every event has such an id. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let count = 2;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    count += 8;
    for (; count >= 5; count -= 5) text += DIGITS[(bits >> (count - 5)) & 31];
  }
  return text;
}
