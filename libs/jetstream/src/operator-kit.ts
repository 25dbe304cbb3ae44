import { isDeepStrictEqual } from 'node:util';
import type { Account, Operator, SigningKey, User } from '@nats-io/jwt';
import {
  agentAccountLimits,
  agentScope,
  exportsToAgents,
  exportsOfAgents,
  importsOf,
  platformLimits,
  systemLimits,
  UNLIMITED,
} from './agent-account.js';
import { claimsIn, sign } from './claims.js';
import { newSigner, signerOf } from './signer.js';

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
    operatorSeed: earlier.operatorSeed ?? newSigner('operator').seed,
    operatorSigningSeed: earlier.operatorSigningSeed ?? newSigner('operator').seed,
    systemAccountPublicKey: earlier.systemAccountPublicKey ?? newSigner('account').publicKey,
    systemSigningSeed: earlier.systemSigningSeed ?? newSigner('account').seed,
    accountPublicKey: earlier.accountPublicKey ?? newSigner('account').publicKey,
    serviceSigningSeed: earlier.serviceSigningSeed ?? newSigner('account').seed,
    agentAccountPublicKey: earlier.agentAccountPublicKey ?? newSigner('account').publicKey,
    agentSigningSeed: earlier.agentSigningSeed ?? newSigner('account').seed,
  };
  const [operator, signer] = [signerOf(keys.operatorSeed), signerOf(keys.operatorSigningSeed)];
  const operatorClaims: Partial<Operator> = {
    system_account: keys.systemAccountPublicKey,
    signing_keys: [signer.publicKey],
  };
  const accountJwts = Object.entries(accountsOf(keys)).map(([subject, { name, nats }]) => {
    const kept = earlier.accountJwts?.[subject];
    const isGood = kept !== undefined && says(kept, nats, signer.publicKey);
    return [
      subject,
      isGood ? kept : sign<Account>({ signer, subject, name, type: 'account', nats }),
    ] as const;
  });
  return {
    ...keys,
    operatorJwt: sign<Operator>({
      ...{ signer: operator, subject: operator.publicKey, name: 'astro', type: 'operator' },
      nats: operatorClaims,
    }),
    accountJwts: Object.fromEntries(accountJwts),
  };
}

function accountsOf(keys: OperatorKeys): Record<string, { name: string; nats: Partial<Account> }> {
  const agentKey: SigningKey = {
    ...{ kind: 'user_scope', role: 'agent', template: agentScope },
    key: publicKeyOf(keys.agentSigningSeed),
  };
  const agents: Partial<Account> = {
    limits: agentAccountLimits,
    imports: [...importsOf(keys.accountPublicKey, exportsToAgents)],
    exports: [...exportsOfAgents],
    signing_keys: [agentKey],
  };
  const platform: Partial<Account> = {
    limits: platformLimits,
    imports: [...importsOf(keys.agentAccountPublicKey, exportsOfAgents)],
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

function says(jwt: string, nats: Partial<Account>, signer: string): boolean {
  const claims = claimsIn<Account>(jwt);
  const { type: _type, version: _version, ...said } = claims.nats;
  return claims.iss === signer && isDeepStrictEqual(said, JSON.parse(JSON.stringify(nats)));
}

/**
 * Part of a server's configuration. What is pushed to the server later is kept in `resolverDir`, and counts for more
 * than what stands here as long as it is newer. Servers that hear of one another compare what they have every few
 * seconds, so that one that was away catches up.
 */
export const serverConfigOf = (kit: OperatorKit, resolverDir: string): string =>
  [
    `operator: ${kit.operatorJwt}`,
    `system_account: ${kit.systemAccountPublicKey}`,
    `resolver: { type: full, dir: ${JSON.stringify(resolverDir)}, allow_delete: false, interval: "5s" }`,
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
  const user = newSigner('user');
  const jwt = sign<User>({
    ...{ signer: signerOf(signingSeed), subject: user.publicKey, name, type: 'user' },
    nats: { ...nats, subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED },
  });
  return credentialsText(jwt, user.seed);
}

/** As `nsc` writes it. */
const credentialsText = (jwt: string, seed: string): string => `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
The seed below proves who you are: keep it secret.

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`;

const publicKeyOf = (seed: string): string => signerOf(seed).publicKey;
