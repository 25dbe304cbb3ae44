import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { base32upper } from 'multiformats/bases/base32';

/**
 * An nkey is base32 of a prefix that names its role, the 32 bytes of an Ed25519 key, and a CRC-16 of both.
 */
const SEED_PREFIX = 18 << 3;
const USER_PREFIX = 20 << 3;
const KEY_BYTES = 32;

/** DER of a PKCS #8 private key for Ed25519 up to the 32 bytes of the seed (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The 32 bytes of an Ed25519 public key in a user nkey (`U…`).
 * @throws Error when it is not one or its checksum is wrong
 */
export function rawPublicKey(nkey: string): Uint8Array {
  if (!/^U[A-Z2-7]{55}$/.test(nkey)) throw new Error('a user nkey is U and 55 characters of base32');
  const bytes = base32upper.baseDecode(nkey);
  const signed = bytes.subarray(0, 1 + KEY_BYTES);
  if (signed[0] !== USER_PREFIX || bytes.length !== signed.length + 2)
    throw new Error('this is not a user nkey');
  if (crc16(signed) !== bytes[33]! + bytes[34]! * 256) throw new Error('the checksum of the nkey is wrong');
  return signed.slice(1);
}

export function isUserKey(nkey: string): boolean {
  try {
    return rawPublicKey(nkey).length === KEY_BYTES;
  } catch {
    return false;
  }
}

/** The text of a user seed (`SU…`), which is what the NATS client signs with. */
export function userSeed(seed32: Uint8Array): Uint8Array {
  if (seed32.length !== KEY_BYTES) throw new Error(`a seed has ${KEY_BYTES} bytes, not ${seed32.length}`);
  const prefix = [SEED_PREFIX | (USER_PREFIX >> 5), (USER_PREFIX & 31) << 3];
  const signed = Uint8Array.from([...prefix, ...seed32]);
  const crc = crc16(signed);
  return new TextEncoder().encode(base32upper.baseEncode(Uint8Array.from([...signed, crc & 255, crc >> 8])));
}

/** What signs with 32 secret bytes. */
export function privateKeyOf(seed32: Uint8Array): KeyObject {
  if (seed32.length !== KEY_BYTES)
    throw new RangeError(`an Ed25519 seed has ${KEY_BYTES} bytes, not ${seed32.length}`);
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed32]), format: 'der', type: 'pkcs8' });
}

/** What checks signatures of the holder of a user nkey. @throws Error when it is none */
export function publicKeyOf(nkey: string): KeyObject {
  const x = Buffer.from(rawPublicKey(nkey)).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
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
