import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { identity } from 'multiformats/hashes/identity';
import { create as multihash } from 'multiformats/hashes/digest';
import { base58btc } from 'multiformats/bases/base58';
import { cidOfSha256, parseCid } from './content-id.js';

const RAW = 0x55;
const DAG_PB = 0x70;
const DAG_CBOR = 0x71;
const SHA2_256 = 0x12;
const SHA3_256 = 0x16;
const digest = createHash('sha256').update('astro').digest();

test('every SHA-256 has one id, and the id gives it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), sha256 => {
      const text = cidOfSha256(sha256);
      expect(parseCid(text)).toEqual({ text, sha256, codec: 'raw' });
    }),
  );
});

test('the list of the parts of a file has an id of its own', () => {
  const text = CID.createV1(DAG_PB, multihash(SHA2_256, digest)).toString();
  expect(parseCid(text)).toEqual({ text, sha256: new Uint8Array(digest), codec: 'dag-pb' });
});

const good = cidOfSha256(digest);
const flawed: readonly [title: string, text: string, rule: RegExp][] = [
  ['nothing', '', /lower-case base32/],
  ['a path', '../../etc/passwd', /lower-case base32/],
  ['upper case', good.toUpperCase(), /lower-case base32/],
  ['one character less', good.slice(0, -1), /lower-case base32/],
  ['one character more', `${good}a`, /lower-case base32/],
  ['another base', CID.parse(good).toString(base58btc), /lower-case base32/],
  ['version 0', CID.createV0(multihash(SHA2_256, digest)).toString(), /lower-case base32/],
  ['another codec', CID.createV1(DAG_CBOR, multihash(SHA2_256, digest)).toString(), /codec `raw`/],
  ['another hash', CID.createV1(RAW, multihash(SHA3_256, digest)).toString(), /`sha2-256`/],
  ['the identity', CID.createV1(RAW, identity.digest(digest)).toString(), /`sha2-256`/],
  ['spare bits that are set', `${good.slice(0, -1)}${spareBitsSet(good.at(-1))}`, /decoded|canonical/],
  ['no CID at all', `b${'a'.repeat(58)}`, /must/],
];
test.each(flawed)('%s is refused and the rule is named', (_title, text, rule) => {
  expect(parseCid(text)).toEqual({ rule: expect.stringMatching(rule) });
});

/** 36 bytes are 57.6 characters of base32: the last one has two bits that mean nothing. */
function spareBitsSet(character: string): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  return alphabet[alphabet.indexOf(character) | 1]!;
}
