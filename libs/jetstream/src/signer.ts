import { randomBytes, sign as signWith } from 'node:crypto';
import { privateKeyOf, publicKeyText, readSeed, seedText, type NkeyRole } from '@astro/messages/nkey';

const SEED_BYTES = 32;

/** An nkey that can sign. */
export type Signer = {
  readonly publicKey: string;
  readonly seed: string;
  sign(data: Uint8Array): Uint8Array;
};

export function newSigner(role: NkeyRole): Signer {
  return signerOf(seedText(role, randomBytes(SEED_BYTES)));
}

/** @throws Error when `seed` is none */
export function signerOf(seed: string): Signer {
  const { role, seed32 } = readSeed(seed);
  const key = privateKeyOf(seed32);
  return {
    publicKey: publicKeyText(role, seed32),
    seed,
    sign: data => signWith(null, data, key),
  };
}
