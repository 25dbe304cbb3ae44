import { createHash } from 'node:crypto';
import type { Fault, Output } from '@astro/messages/scheduling';

/** What nodes must agree on: SHA-256 in hex over JSON of the fault and of each output's name and id, by name. */
export function resultDigest(fault: Fault, outputs: readonly Output[]): string {
  const named = outputs
    .map(({ name, cid }): [string, string] => [name, cid])
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([fault, ...named]))
    .digest('hex');
}
