import { createHash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as multihash } from 'multiformats/hashes/digest';

const SHA2_256 = 0x12;
const SHA2_256_BYTES = 32;
/** The codec of UnixFS: a block that lists the parts of a file. Part of the multicodec table. */
const DAG_PB = 0x70;

/**
 * The one form of content id that is taken: CIDv1 by SHA-256 in lower-case base32, of raw bytes or, with `dag-pb`, of
 * the list of a file's parts.
 */
export type ContentId = {
  readonly text: string;
  readonly sha256: Uint8Array;
  readonly codec: 'raw' | 'dag-pb';
};

export type CidFlaw = { readonly rule: string };

/** @returns the content id, or the rule that `text` breaks */
export function parseCid(text: string): ContentId | CidFlaw {
  // The exact length is checked first, so that nothing long is ever decoded.
  if (!/^b[a-z2-7]{58}$/.test(text))
    return { rule: 'must be a CIDv1 in lower-case base32: `b` and 58 characters' };
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    return { rule: 'must be a CIDv1: it cannot be decoded' };
  }
  if (cid.version !== 1) return { rule: 'must be a CID of version 1' };
  if (cid.code !== raw.code && cid.code !== DAG_PB) return { rule: 'must have the codec `raw` or `dag-pb`' };
  if (cid.multihash.code !== SHA2_256) return { rule: 'must be hashed with `sha2-256`' };
  if (cid.multihash.digest.length !== SHA2_256_BYTES) return { rule: 'must hold a digest of 32 bytes' };
  // Base32 has spare bits at the end; one content has one id.
  if (cid.toString() !== text) return { rule: 'must be in canonical base32' };
  return { text, sha256: cid.multihash.digest, codec: cid.code === raw.code ? 'raw' : 'dag-pb' };
}

/** The content id of bytes with this SHA-256. */
export const cidOfSha256 = (sha256: Uint8Array): string =>
  CID.createV1(raw.code, multihash(SHA2_256, sha256)).toString();

/** The content id of these bytes. */
export const cidOf = (bytes: Uint8Array): string => cidOfSha256(createHash('sha256').update(bytes).digest());

/** Also what keeps a content id from being another file's path. */
export const isCid = (text: string): boolean => 'sha256' in parseCid(text);
