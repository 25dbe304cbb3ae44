import { createHash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as multihash } from 'multiformats/hashes/digest';

const SHA2_256 = 0x12;

/** CIDv1 of the raw bytes by SHA-256, in lower-case base32. */
export const cidOf = (bytes: Uint8Array): string =>
  CID.createV1(raw.code, multihash(SHA2_256, createHash('sha256').update(bytes).digest())).toString();

/** What a content id looks like; also what keeps one from being another file's path. */
export const isCid = (text: string): boolean => /^b[a-z2-7]{58}$/.test(text);
