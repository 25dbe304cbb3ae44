import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * `astro_`, 256 random bits and a CRC-32 of all that comes before it, both in base 62. The prefix lets scanners
 * recognise a leaked key, the checksum tells a mistyped key from an unknown one without asking the database.
 */
const prefix = 'astro_';
const secretBytes = 32;
const secretLength = 43; // 62^43 > 2^256
const checksumLength = 6; // 62^6 > 2^32
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const shape = new RegExp(`^${prefix}[0-9A-Za-z]{${secretLength + checksumLength}}$`);

/** A new key: its text is shown once and never kept, its hash is what the registry stores. */
export function newApiKey(): { readonly text: string; readonly sha256: string } {
  const secret = base62(BigInt(`0x${randomBytes(secretBytes).toString('hex')}`), secretLength);
  const text = `${prefix}${secret}${checksumOf(prefix + secret)}`;
  return { text, sha256: sha256Of(text) };
}

/** Whether `text` is the text of an API key: of the right shape, with the right checksum. */
export const parseApiKey = (text: string): boolean =>
  shape.test(text) && checksumOf(text.slice(0, -checksumLength)) === text.slice(-checksumLength);

/** Lower-case hex. A plain hash suffices, because the key is 256 random bits and not a password. */
export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

const checksumOf = (text: string): string => base62(BigInt(crc32(text)), checksumLength);

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; rest > 0n; rest /= 62n) text = alphabet[Number(rest % 62n)] + text;
  return text.padStart(length, alphabet[0]);
}
