import { createHmac, hkdfSync } from 'node:crypto';
import { cidOf } from '@astro/messages/content-id';
import type { Encryption, Fault } from '@astro/messages/scheduling';
import { decryptWith, encryptTo, isAgeIdentity, Undecipherable } from './age.js';

const DIGEST_KEY_BYTES = 32;
const DIGEST_KEY_INFO = 'astro result digest 1';

export type ClearFile = { readonly name: string; readonly bytes: Uint8Array };

/** The key of a job, an age identity, encrypted to the nodes that may run it, in base64. */
export async function wrapJobKey(identity: string, recipients: readonly string[]): Promise<string> {
  const file = await encryptTo(recipients, new TextEncoder().encode(identity));
  return Buffer.from(file).toString('base64');
}

/**
 * What whoever has the key of a job can do with it: read what the job's data was encrypted to, and say what a result
 * is in a way that only others with the same key can compare or try out.
 */
export class JobKey {
  readonly #identity: string;

  constructor(identity: string) {
    if (!isAgeIdentity(identity)) throw new Undecipherable('the key of the job is no age identity');
    this.#identity = identity;
  }

  /** @throws Undecipherable when it is for others, or no key */
  static async unwrap(
    { wrappedKey }: Pick<Encryption, 'wrappedKey'>,
    identities: readonly string[],
  ): Promise<JobKey> {
    const clear = await decryptWith(identities, new Uint8Array(Buffer.from(wrappedKey, 'base64')));
    return new JobKey(new TextDecoder().decode(clear).trim());
  }

  /** @throws Undecipherable */
  decrypt(file: Uint8Array): Promise<Uint8Array> {
    return decryptWith([this.#identity], file);
  }

  /**
   * What nodes must agree on: HMAC-SHA-256 in hex over the JSON of task, fault and, sorted by name, of every output's
   * name and the content id that it would have in clear. The key keeps whoever only carries the data from trying out
   * what a result is; the task, from seeing that two tasks have the same.
   */
  resultDigest(taskId: string, fault: Fault, outputs: readonly ClearFile[]): string {
    const named = outputs
      .map(({ name, bytes }): readonly [string, string] => [name, cidOf(bytes)])
      .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    const key = hkdfSync('sha256', this.#identity, '', DIGEST_KEY_INFO, DIGEST_KEY_BYTES);
    return createHmac('sha256', new Uint8Array(key))
      .update(JSON.stringify([taskId, fault, ...named]))
      .digest('hex');
  }
}
