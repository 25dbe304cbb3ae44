import { rename } from 'node:fs/promises';
import { signNodeKey } from '@astro/messages/node-key-statement';
import { signNodeToken } from '@astro/runtime/node-token';
import { credentials, type Credentials } from '../enrol/credentials.js';
import { GatewayRefusal, type GatewayClient } from '../gateway/gateway-client.js';
import { identityPath, nextIdentityPath, openIdentity, readIdentity, type Identity } from './identity.js';

const TOKEN_TTL_SECONDS = 60;

export type KeyChange = {
  readonly stateDir: string;
  readonly nodeId: string;
  readonly gateway: Pick<GatewayClient, 'json'>;
  readonly signal: AbortSignal;
};

/**
 * Gives the node another key, in three steps: the new key is written beside the current one, the platform takes it by
 * the word of both, and it takes the place of the current one. Whoever was stopped in between repeats this, or the
 * agent does at its next start: the new key is on the disk before anybody relies on it, and the current one until
 * nobody does.
 * @returns credentials for the new key; nothing that was issued for the earlier one counts any more
 * @throws GatewayRefusal; another Error when the gateway could not be reached
 */
export async function rotateKey(change: KeyChange): Promise<Credentials> {
  const { stateDir, nodeId } = change;
  const current = await openIdentity(stateDir);
  const begun = await readIdentity(nextIdentityPath(stateDir));
  const taken = begun && (await ifTaken(begun, change));
  const next = begun ?? (await openIdentity(stateDir, nextIdentityPath(stateDir)));
  const { publicKey } = next;
  const signatureByCurrent = signNodeKey({ nodeId, publicKey }, current.seed32);
  const given = taken ?? (await replace(next, { signatureByCurrent }, () => token(nodeId, current), change));
  await rename(nextIdentityPath(stateDir), identityPath(stateDir));
  return given;
}

/** Ends a rotation that was stopped between its steps; does nothing where none was. */
export async function finishRotation(change: KeyChange): Promise<void> {
  if (await readIdentity(nextIdentityPath(change.stateDir))) await rotateKey(change);
}

/**
 * Gives a node whose key is lost another one, by the word of its operator. The folder may be a new one; an agent that
 * starts in it is the same node. Repeating after a crash goes on where it was.
 * @throws GatewayRefusal; another Error when the gateway could not be reached
 */
export async function recoverKey(change: KeyChange & { readonly operatorKey: string }): Promise<Credentials> {
  const { stateDir, operatorKey } = change;
  const next = await openIdentity(stateDir, nextIdentityPath(stateDir));
  const given = await replace(next, {}, () => operatorKey, change);
  await rename(nextIdentityPath(stateDir), identityPath(stateDir));
  return given;
}

function replace(
  next: Identity,
  proof: { readonly signatureByCurrent?: string },
  authorization: () => Promise<string> | string,
  { nodeId, gateway, signal }: KeyChange,
): Promise<Credentials> {
  const { publicKey, seed32 } = next;
  const signatureByNew = signNodeKey({ nodeId, publicKey }, seed32);
  const json = { publicKey, signatureByNew, ...proof };
  const request = { method: 'PUT', path: `/v1/nodes/${nodeId}/key`, authorization, json } as const;
  return gateway.json(request, credentials, signal);
}

/** New credentials for a key that the platform has already taken; undefined when it has not. */
async function ifTaken(
  next: Identity,
  { nodeId, gateway, signal }: KeyChange,
): Promise<Credentials | undefined> {
  const path = `/v1/nodes/${nodeId}/credentials`;
  try {
    return await gateway.json(
      { method: 'POST', path, authorization: () => token(nodeId, next) },
      credentials,
      signal,
    );
  } catch (error) {
    if (error instanceof GatewayRefusal && error.code === 'credentials_invalid') return undefined;
    throw error;
  }
}

const token = (nodeId: string, { seed32 }: Identity): Promise<string> =>
  signNodeToken({ nodeId, seed32, ttlSeconds: TOKEN_TTL_SECONDS });
