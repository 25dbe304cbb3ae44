import canonicalize from 'canonicalize';
import { keccak256, toUtf8Bytes } from 'ethers';

/**
 * The hash of a value in JSON, however it is written: Keccak-256 of its canonical form (RFC 8785).
 * @throws TypeError when it has no form in JSON
 */
export function canonicalHash(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('what has no form in JSON has no hash');
  return keccak256(toUtf8Bytes(text));
}
