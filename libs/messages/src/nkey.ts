import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { base32upper } from 'multiformats/bases/base32';

/**
 * An nkey is base32 of a prefix that names its role, the 32 bytes of an Ed25519 key, and a CRC-16 of both. A seed has
 * one more prefix before it. Keys are made and used with the crypto of Node itself: the library of NATS does the same
 * in JavaScript, a hundred times slower.
 */
const roles = { operator: 14 << 3, account: 0, user: 20 << 3 } as const;
export type NkeyRole = keyof typeof roles;

const SEED_PREFIX = 18 << 3;
const KEY_BYTES = 32;
const CRC_BYTES = 2;

/** DER of a PKCS #8 private key for Ed25519 up to the 32 bytes of the seed (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The 32 bytes of an Ed25519 public key in a user nkey (`U…`).
 * @throws Error when it is not one or its checksum is wrong
 */
export function rawPublicKey(nkey: string): Uint8Array {
  if (!/^U[A-Z2-7]{55}$/.test(nkey)) throw new Error('a user nkey is U and 55 characters of base32');
  const signed = decoded(nkey);
  if (signed[0] !== roles.user || signed.length !== 1 + KEY_BYTES) throw new Error('this is not a user nkey');
  return signed.slice(1);
}

export function isUserKey(nkey: string): boolean {
  try {
    return rawPublicKey(nkey).length === KEY_BYTES;
  } catch {
    return false;
  }
}

/** The text of a seed: `SO…`, `SA…` or `SU…`. */
export function seedText(role: NkeyRole, seed32: Uint8Array): string {
  assertSeed(seed32);
  const prefix = roles[role];
  return encoded(Uint8Array.from([SEED_PREFIX | (prefix >> 5), (prefix & 31) << 3, ...seed32]));
}

/** @throws Error when it is none or its checksum is wrong */
export function readSeed(text: string): { readonly role: NkeyRole; readonly seed32: Uint8Array } {
  if (!/^S[A-Z2-7]{57}$/.test(text)) throw new Error('a seed is S and 57 characters of base32');
  const [first = 0, second = 0, ...seed32] = decoded(text);
  const prefix = ((first & 7) << 5) | (second >> 3);
  const role = (Object.keys(roles) as NkeyRole[]).find(name => roles[name] === prefix);
  if (role === undefined) throw new Error('this is a seed of no role that is known here');
  return { role, seed32: Uint8Array.from(seed32) };
}

/** The text of a public key: `O…`, `A…` or `U…`. */
export function publicKeyText(role: NkeyRole, seed32: Uint8Array): string {
  const { x = '' } = createPublicKey(privateKeyOf(seed32)).export({ format: 'jwk' });
  return encoded(Uint8Array.from([roles[role], ...Buffer.from(x, 'base64url')]));
}

/** What signs with 32 secret bytes. */
export function privateKeyOf(seed32: Uint8Array): KeyObject {
  assertSeed(seed32);
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed32]), format: 'der', type: 'pkcs8' });
}

/** What checks signatures of the holder of a user nkey. @throws Error when it is none */
export function publicKeyOf(nkey: string): KeyObject {
  const x = Buffer.from(rawPublicKey(nkey)).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

function assertSeed(seed32: Uint8Array): void {
  if (seed32.length !== KEY_BYTES)
    throw new RangeError(`an Ed25519 seed has ${KEY_BYTES} bytes, not ${seed32.length}`);
}

function encoded(signed: Uint8Array): string {
  const crc = crc16(signed);
  return base32upper.baseEncode(Uint8Array.from([...signed, crc & 255, crc >> 8]));
}

function decoded(text: string): Uint8Array {
  const bytes = base32upper.baseDecode(text);
  const signed = bytes.subarray(0, -CRC_BYTES);
  const [low = 0, high = 0] = bytes.subarray(-CRC_BYTES);
  if (crc16(signed) !== low + high * 256) throw new Error('the checksum of the nkey is wrong');
  return signed;
}

/** CRC-16/XMODEM, as nkeys define it. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
