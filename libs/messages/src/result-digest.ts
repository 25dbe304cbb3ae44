import { createHash } from 'node:crypto';
import type { Fault, Output } from './gen/scheduling.js';

/**
 * What nodes must agree on: SHA-256 in hex over the JSON of the fault and, sorted by name, of every output's
 * name and content id. Sizes are left out, because they follow from the content.
 */
export function resultDigest(fault: Fault, outputs: readonly Output[]): string {
  const named = outputs
    .map(({ name, cid }): readonly [string, string] => [name, cid])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return createHash('sha256')
    .update(JSON.stringify([fault, ...named]))
    .digest('hex');
}
