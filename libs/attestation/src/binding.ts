import { createHash } from 'node:crypto';
import { demand } from './verdict.js';

export const NONCE_BYTES = 32;

/**
 * What a node has its machine sign: 64 bytes, of which the first half is the platform's nonce and the other half the
 * SHA-256 of the node's public key as text. Kept apart, so that a refusal can say which of them is wrong.
 */
export function reportDataOf(nonce: Uint8Array, nodeKey: string): Uint8Array {
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes`);
  return new Uint8Array(Buffer.concat([nonce, createHash('sha256').update(nodeKey).digest()]));
}

/** What devices sign, who have room for 32 bytes in hexadecimal digits: SHA-256 of what the machine signs. */
export const deviceNonceOf = (nonce: Uint8Array, nodeKey: string): string =>
  createHash('sha256').update(reportDataOf(nonce, nodeKey)).digest('hex');

/** @throws EvidenceRefused */
export function demandBinding(reportData: Uint8Array, nonce: Uint8Array, nodeKey: string): void {
  const expected = Buffer.from(reportDataOf(nonce, nodeKey));
  const isEqual = (from: number, to: number) =>
    expected.subarray(from, to).equals(reportData.subarray(from, to));
  demand(isEqual(0, NONCE_BYTES), 'nonce', 'the evidence answers another challenge');
  demand(isEqual(NONCE_BYTES, expected.length), 'key', 'the evidence is bound to another key');
}
