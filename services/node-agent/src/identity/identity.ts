import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { agentKeyPair } from '@astro/jetstream/credentials';
import { z } from 'zod';
import { readJson, writeJson } from '../state/json-file.js';

const SEED_BYTES = 32;

const stored = z.object({
  seed: z
    .base64url()
    .refine(text => Buffer.from(text, 'base64url').length === SEED_BYTES, 'must be 32 bytes'),
});

/** The node's own Ed25519 key. It signs the node's requests, and logs it in to the bus. */
export type Identity = {
  readonly seed32: Uint8Array;
  /** In the NATS user form: `U…`. */
  readonly publicKey: string;
};

export const identityPath = (stateDir: string): string => join(stateDir, 'identity.json');
/** Of the key that is about to take its place. */
export const nextIdentityPath = (stateDir: string): string => join(stateDir, 'next-identity.json');

/**
 * The key in this state folder, made at the first start. A file that cannot be read is never replaced: with its key
 * the node would be lost.
 */
export async function openIdentity(stateDir: string, path = identityPath(stateDir)): Promise<Identity> {
  const existing = await readIdentity(path);
  if (existing) return existing;
  const seed32 = new Uint8Array(randomBytes(SEED_BYTES));
  await writeJson(path, { seed: Buffer.from(seed32).toString('base64url') });
  return identityOf(seed32);
}

/** The key in a file; undefined when there is none. @throws Error when it holds something else */
export async function readIdentity(path: string): Promise<Identity | undefined> {
  const existing = await readJson(path);
  if (existing === undefined) return undefined;
  const parsed = stored.safeParse(existing);
  if (!parsed.success)
    throw new Error(`${path} holds no key of a node; restore it or remove it to start a new node`);
  await chmod(path, 0o600);
  return identityOf(new Uint8Array(Buffer.from(parsed.data.seed, 'base64url')));
}

const identityOf = (seed32: Uint8Array): Identity => ({ seed32, publicKey: agentKeyPair(seed32).publicKey });
