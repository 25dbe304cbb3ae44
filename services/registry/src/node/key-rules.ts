import { isNodeKeySigned } from '@astro/messages/node-key-statement';
import { isUserKey } from '@astro/messages/nkey';
import type { RecoverNodeKey, RevokeNode, RotateNodeKey } from '@astro/messages/registry';

/** What is wrong with a public key, and where; undefined when nothing is. */
export const publicKeyProblem = (publicKey: string): string | undefined =>
  isUserKey(publicKey) ? undefined : 'publicKey: must be a NATS user key with its own checksum';

/** Whose signature is missing under a new key of a node that has `current`; undefined when none is. */
export function signatureProblem(proof: RotateNodeKey | RecoverNodeKey, current: string): string | undefined {
  if ('signatureByCurrent' in proof && !isNodeKeySigned(proof, proof.signatureByCurrent, current))
    return 'signatureByCurrent: is not that of the key that the node has';
  if (!isNodeKeySigned(proof, proof.signatureByNew, proof.publicKey))
    return 'signatureByNew: is not that of the new key';
  return undefined;
}

const REASON_MAX = 300;

export function reasonProblem({ reason }: RevokeNode): string | undefined {
  if (reason.trim() === '') return 'reason: is missing';
  return reason.length > REASON_MAX ? `reason: has more than ${REASON_MAX} characters` : undefined;
}
