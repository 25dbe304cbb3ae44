import { isDeepStrictEqual } from 'node:util';
import type { Account } from '@nats-io/jwt';
import { connect, credsAuthenticator, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { claimsIn, sign } from './claims.js';
import { withRevoked, type RevokedKey } from './revocations.js';
import { signerOf } from './signer.js';

export type AgentAccountKeeperOptions = {
  readonly servers: string;
  /** Text of a `.creds` file of the system account. */
  readonly credentials: string;
  readonly accountPublicKey: string;
  /** Seed of the operator's signing key. */
  readonly operatorSigningSeed: string;
};

const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Changes what the server believes of the agents' account. It ends live connections of a revoked key at once, and keeps
 * what it was told: so does each server of a cluster, one that was away when it is back.
 */
export class AgentAccountKeeper {
  readonly #options: AgentAccountKeeperOptions;
  #connecting: Promise<NatsConnection> | undefined;

  constructor(options: AgentAccountKeeperOptions) {
    this.#options = options;
  }

  /**
   * Repeating changes nothing. One caller at a time: the whole account is read and written.
   * @returns whether the server did not know all of it yet
   * @throws Error when the server does not have it for sure
   */
  async revoke(revoked: readonly RevokedKey[], now: Date): Promise<boolean> {
    const { accountPublicKey: subject, operatorSigningSeed } = this.#options;
    const lookup = await this.#ask(`$SYS.REQ.ACCOUNT.${subject}.CLAIMS.LOOKUP`);
    const { iss, iat, name, nats } = claimsIn<Account>(lookup.string());
    const signer = signerOf(operatorSigningSeed);
    // The server would take what another signed, and from its next start on let nobody in.
    if (iss !== signer.publicKey)
      throw new Error(`the account is signed by ${iss}, not by the key that is here`);
    const revocations = withRevoked(nats.revocations ?? {}, revoked, now);
    if (isDeepStrictEqual(revocations, nats.revocations ?? {})) return false;
    const changed = { ...nats, revocations };
    const jwt = sign<Account>({ signer, subject, name, type: 'account', nats: changed, replaces: iat });
    const { data, error } = (await this.#ask('$SYS.REQ.CLAIMS.UPDATE', jwt)).json<UpdateAnswer>();
    if (data?.code !== 200)
      throw new Error(`the account was not updated: ${error?.description ?? 'no reason was given'}`);
    return true;
  }

  async close(): Promise<void> {
    await (await this.#connecting?.catch(() => undefined))?.close();
  }

  async #ask(subject: string, payload?: string): Promise<Msg> {
    const connection = await this.#connected();
    return connection.request(subject, payload, { timeout: ANSWER_TIMEOUT_MS });
  }

  /** Nothing is revoked most of the time, so the connection is made when it is needed. */
  #connected(): Promise<NatsConnection> {
    const { servers, credentials } = this.#options;
    this.#connecting ??= connect({
      servers: servers.split(','),
      name: 'agent-account-keeper',
      authenticator: credsAuthenticator(new TextEncoder().encode(credentials)),
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      ignoreAuthErrorAbort: true,
    }).catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }
}

type UpdateAnswer = {
  readonly data?: { readonly code: number };
  readonly error?: { readonly description?: string };
};
