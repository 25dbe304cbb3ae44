import { isDeepStrictEqual } from 'node:util';
import { fmtCreds, newScopedSigner, type Account, type Operator, type User } from '@nats-io/jwt';
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from '@nats-io/nkeys';
import {
  agentAccountLimits,
  agentScope,
  exportsToAgents,
  importsOfAgents,
  platformLimits,
  systemLimits,
  UNLIMITED,
} from './agent-account.js';
import { bytesOf, claimsIn, seedOf, sign } from './claims.js';

/** Everything that a server and its clients need to trust one another. Holds secrets: keep it private. */
export type OperatorKit = OperatorKeys & {
  readonly operatorJwt: string;
  /** The accounts' JWTs by their public keys. */
  readonly accountJwts: Readonly<Record<string, string>>;
};

type OperatorKeys = {
  readonly operatorSeed: string;
  /** Signs accounts anew, as when something in the agents' account is revoked. */
  readonly operatorSigningSeed: string;
  readonly systemAccountPublicKey: string;
  readonly systemSigningSeed: string;
  /** The services' account. */
  readonly accountPublicKey: string;
  /** Signs services, which may do everything in their account. */
  readonly serviceSigningSeed: string;
  /** The agents' account. */
  readonly agentAccountPublicKey: string;
  /** Signs agents: whatever it signs may only do what `agentScope` lists. */
  readonly agentSigningSeed: string;
};

/**
 * Keys and JWTs for one deployment. With an earlier kit its keys are kept, so that what was stored and signed under
 * them goes on, and so is every JWT that says what it would say today.
 */
export function generateOperatorKit(earlier: Partial<OperatorKit> = {}): OperatorKit {
  const keys: OperatorKeys = {
    operatorSeed: earlier.operatorSeed ?? seedOf(createOperator()),
    operatorSigningSeed: earlier.operatorSigningSeed ?? seedOf(createOperator()),
    systemAccountPublicKey: earlier.systemAccountPublicKey ?? createAccount().getPublicKey(),
    systemSigningSeed: earlier.systemSigningSeed ?? seedOf(createAccount()),
    accountPublicKey: earlier.accountPublicKey ?? createAccount().getPublicKey(),
    serviceSigningSeed: earlier.serviceSigningSeed ?? seedOf(createAccount()),
    agentAccountPublicKey: earlier.agentAccountPublicKey ?? createAccount().getPublicKey(),
    agentSigningSeed: earlier.agentSigningSeed ?? seedOf(createAccount()),
  };
  const operator = pairOf(keys.operatorSeed);
  const operatorClaims: Partial<Operator> = {
    system_account: keys.systemAccountPublicKey,
    signing_keys: [publicKeyOf(keys.operatorSigningSeed)],
  };
  const accountJwts = Object.entries(accountsOf(keys)).map(([subject, { name, nats }]) => {
    const kept = earlier.accountJwts?.[subject];
    const options = { signer: operator, subject, name, type: 'account', nats } as const;
    return [subject, kept && says(kept, nats) ? kept : sign<Account>(options)] as const;
  });
  return {
    ...keys,
    operatorJwt: sign<Operator>({
      ...{ signer: operator, subject: operator.getPublicKey(), name: 'astro', type: 'operator' },
      nats: operatorClaims,
    }),
    accountJwts: Object.fromEntries(accountJwts),
  };
}

function accountsOf(keys: OperatorKeys): Record<string, { name: string; nats: Partial<Account> }> {
  const agents: Partial<Account> = {
    limits: agentAccountLimits,
    imports: [...importsOfAgents(keys.accountPublicKey)],
    signing_keys: [newScopedSigner(pairOf(keys.agentSigningSeed), 'agent', agentScope)],
  };
  const platform: Partial<Account> = {
    limits: platformLimits,
    exports: [...exportsToAgents],
    signing_keys: [publicKeyOf(keys.serviceSigningSeed)],
  };
  const system: Partial<Account> = {
    limits: systemLimits,
    signing_keys: [publicKeyOf(keys.systemSigningSeed)],
  };
  return {
    [keys.systemAccountPublicKey]: { name: 'SYS', nats: system },
    [keys.accountPublicKey]: { name: 'PLATFORM', nats: platform },
    [keys.agentAccountPublicKey]: { name: 'AGENTS', nats: agents },
  };
}

function says(jwt: string, nats: Partial<Account>): boolean {
  const { type: _type, version: _version, ...said } = claimsIn<Account>(jwt).nats;
  return isDeepStrictEqual(said, JSON.parse(JSON.stringify(nats)));
}

/**
 * Part of a server's configuration. What is pushed to the server later is kept in `resolverDir`, and counts for more
 * than what stands here as long as it is newer.
 */
export const serverConfigOf = (kit: OperatorKit, resolverDir: string): string =>
  [
    `operator: ${kit.operatorJwt}`,
    `system_account: ${kit.systemAccountPublicKey}`,
    `resolver: { type: full, dir: ${JSON.stringify(resolverDir)}, allow_delete: false }`,
    'resolver_preload: {',
    ...Object.entries(kit.accountJwts).map(([key, jwt]) => `  ${key}: ${jwt}`),
    '}',
  ].join('\n');

/** Text of a `.creds` file for a service or for the people who run the platform. Does not expire. */
export function serviceCredentials(kit: OperatorKit, name: string): string {
  return credentials(kit.serviceSigningSeed, name, { issuer_account: kit.accountPublicKey });
}

/** Text of a `.creds` file for who may read the JWT of the agents' account and hand in another one. */
export function accountKeeperCredentials(kit: OperatorKit, name: string): string {
  const lookup = `$SYS.REQ.ACCOUNT.${kit.agentAccountPublicKey}.CLAIMS.LOOKUP`;
  return credentials(kit.systemSigningSeed, name, {
    issuer_account: kit.systemAccountPublicKey,
    pub: { allow: [lookup, '$SYS.REQ.CLAIMS.UPDATE'] },
    sub: { allow: ['_INBOX.>'] },
  });
}

/** Text of a `.creds` file for a new user, signed by a key of its account. */
export function credentials(signingSeed: string, name: string, nats: Partial<User>): string {
  const user = createUser();
  const jwt = sign<User>({
    ...{ signer: pairOf(signingSeed), subject: user.getPublicKey(), name, type: 'user' },
    nats: { ...nats, subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED },
  });
  return new TextDecoder().decode(fmtCreds(jwt, user));
}

const pairOf = (seed: string): KeyPair => fromSeed(bytesOf(seed));
const publicKeyOf = (seed: string): string => pairOf(seed).getPublicKey();
