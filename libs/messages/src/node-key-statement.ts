import { sign, verify } from 'node:crypto';
import { isUserKey, privateKeyOf, publicKeyOf } from './nkey.js';

/** What is signed when a node gets another key: by the new one, and by the current one where it is not lost. */
export type NodeKeyStatement = {
  readonly nodeId: string;
  /** User nkey of the new key. */
  readonly publicKey: string;
};

const SIGNATURE = /^[\w-]{86}$/;

export function signNodeKey(statement: NodeKeyStatement, seed32: Uint8Array): string {
  return sign(null, textOf(statement), privateKeyOf(seed32)).toString('base64url');
}

/** @param signer user nkey of who should have signed; nothing is signed by what is none */
export function isNodeKeySigned(statement: NodeKeyStatement, signature: string, signer: string): boolean {
  const key = isUserKey(signer) ? publicKeyOf(signer) : undefined;
  if (key === undefined || !SIGNATURE.test(signature)) return false;
  return verify(null, textOf(statement), key, Buffer.from(signature, 'base64url'));
}

/** The first line keeps a signature from counting as one of anything else. */
const textOf = ({ nodeId, publicKey }: NodeKeyStatement): Buffer =>
  Buffer.from(`astro node key 1\nnode: ${nodeId}\nkey: ${publicKey}\n`);
