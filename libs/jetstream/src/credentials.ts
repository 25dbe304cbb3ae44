import { catalogue } from '@astro/messages/catalogue';
import {
  fmtCreds,
  newScopedSigner,
  type Account,
  type Operator,
  type User,
  type UserPermissionsLimits,
} from '@nats-io/jwt';
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from '@nats-io/nkeys';
import { nuid } from '@nats-io/transport-node';
import { agentMayAnswer, agentMayBeAsked } from './exchange-subjects.js';
import { userSeed } from './nkey.js';
import { assertToken } from './subjects.js';

export { rawPublicKey } from './nkey.js';

/** Everything that a server and its clients need to trust one another. Holds secrets: keep it private. */
export type OperatorKit = {
  /** Part of a server's configuration: operator, system account and the accounts' JWTs. */
  readonly serverConfig: string;
  readonly operatorSeed: string;
  /** The one account of the platform; agents are confined inside it by the scope of their signing key. */
  readonly accountPublicKey: string;
  /** Signs services, which may do everything in the account. */
  readonly serviceSigningSeed: string;
  /** Signs agents: whatever it signs may only do what `agentScope` lists. */
  readonly agentSigningSeed: string;
};

/** What one agent may hold open and send; a report is far smaller. */
const AGENT_SUBSCRIPTIONS = 10;
const AGENT_PAYLOAD_BYTES = 256 * 1024;
const UNLIMITED = -1;

/**
 * Subjects of an agent, where the server puts the name of the agent's own JWT: it cannot even name another
 * node's. The answers to its publishing come to an inbox prefix of its own, so that it cannot listen to
 * anybody else's.
 */
const agentScope: Partial<UserPermissionsLimits> = {
  pub: {
    allow: [
      ...catalogue.flatMap(({ kind, name }) => {
        if (kind === 'report') return [`agent.{{name()}}.${name}`];
        return kind === 'telemetry' ? [`telemetry.{{name()}}.${name}`] : [];
      }),
      agentMayAnswer,
    ],
  },
  sub: { allow: ['agent.{{name()}}.desired', '_INBOX_{{name()}}.>', agentMayBeAsked] },
  subs: AGENT_SUBSCRIPTIONS,
  payload: AGENT_PAYLOAD_BYTES,
  data: UNLIMITED,
  bearer_token: false,
  allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
};

/** The inbox prefix that an agent's scope allows. */
export const agentInbox = (nodeId: string): string => `_INBOX_${assertToken(nodeId)}`;

/** New keys and JWTs for one deployment. */
export function generateOperatorKit(): OperatorKit {
  const [operator, system, platform] = [createOperator(), createAccount(), createAccount()];
  const [serviceSigner, agentSigner] = [createAccount(), createAccount()];
  const accounts = {
    [system.getPublicKey()]: claims<Account>(operator, system, 'SYS', 'account', {
      limits: accountLimits(0),
    }),
    [platform.getPublicKey()]: claims<Account>(operator, platform, 'PLATFORM', 'account', {
      limits: accountLimits(UNLIMITED),
      signing_keys: [serviceSigner.getPublicKey(), newScopedSigner(agentSigner, 'agent', agentScope)],
    }),
  };
  const operatorJwt = claims<Operator>(operator, operator, 'astro', 'operator', {
    system_account: system.getPublicKey(),
  });
  return {
    serverConfig: serverConfig(operatorJwt, system.getPublicKey(), accounts),
    operatorSeed: seedOf(operator),
    accountPublicKey: platform.getPublicKey(),
    serviceSigningSeed: seedOf(serviceSigner),
    agentSigningSeed: seedOf(agentSigner),
  };
}

/** Text of a `.creds` file for a service or for the people who run the platform. Does not expire. */
export function serviceCredentials(kit: OperatorKit, name: string): string {
  const user = createUser();
  const jwt = claims<User>(fromSeed(bytesOf(kit.serviceSigningSeed)), user, name, 'user', {
    issuer_account: kit.accountPublicKey,
    subs: UNLIMITED,
    data: UNLIMITED,
    payload: UNLIMITED,
  });
  return new TextDecoder().decode(fmtCreds(jwt, user));
}

export type AgentJwtOptions = {
  readonly accountPublicKey: string;
  readonly signingSeed: string;
  readonly nodeId: string;
  /** The agent's own user nkey (`U…`): only who holds its seed can use the JWT. */
  readonly userPublicKey: string;
  readonly ttlSeconds: number;
};

/** A JWT that lets one node say and hear what is its own, for a while. */
export function issueAgentJwt(options: AgentJwtOptions): string {
  const signer = fromSeed(bytesOf(options.signingSeed));
  // Limits and permissions must be absent: the server takes them from the signing key's scope, or refuses
  // the JWT.
  const user: Partial<User> = { issuer_account: options.accountPublicKey };
  const subject = { getPublicKey: () => options.userPublicKey };
  return claims(signer, subject, assertToken(options.nodeId), 'user', user, options.ttlSeconds);
}

/** The nkey pair of an agent's 32 secret bytes. */
export function agentKeyPair(seed32: Uint8Array): { readonly publicKey: string; readonly seed: Uint8Array } {
  const seed = userSeed(seed32);
  return { publicKey: fromSeed(seed).getPublicKey(), seed };
}

/**
 * Signed like any JWT, with nkeys as the algorithm. The NATS library can do it too, but only
 * asynchronously.
 */
function claims<Claims>(
  signer: KeyPair,
  subject: Pick<KeyPair, 'getPublicKey'>,
  name: string,
  type: 'operator' | 'account' | 'user',
  nats: Partial<Claims>,
  ttlSeconds?: number,
): string {
  const issuedAt = Math.floor(Date.now() / 1_000);
  const payload = {
    jti: nuid.next(),
    iat: issuedAt,
    iss: signer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    ...(ttlSeconds !== undefined && { exp: issuedAt + ttlSeconds }),
    nats: { ...nats, type, version: 2 },
  };
  const parts = [{ typ: 'JWT', alg: 'ed25519-nkey' }, payload].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = parts.join('.');
  return `${signed}.${Buffer.from(signer.sign(bytesOf(signed))).toString('base64url')}`;
}

const accountLimits = (storage: number): Account['limits'] => ({
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
  conn: UNLIMITED,
  leaf: UNLIMITED,
  mem_storage: storage,
  disk_storage: storage,
  streams: storage,
  consumer: storage,
});

/** The accounts stand in the configuration itself, so that the server needs nothing else to start. */
const serverConfig = (
  operatorJwt: string,
  systemAccount: string,
  accounts: Readonly<Record<string, string>>,
) =>
  [
    `operator: ${operatorJwt}`,
    `system_account: ${systemAccount}`,
    'resolver: MEMORY',
    'resolver_preload: {',
    ...Object.entries(accounts).map(([key, jwt]) => `  ${key}: ${jwt}`),
    '}',
  ].join('\n');

const seedOf = (pair: KeyPair): string => new TextDecoder().decode(pair.getSeed());
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
