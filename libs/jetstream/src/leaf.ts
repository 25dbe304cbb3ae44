import { exportsOfAgents, exportsToAgents } from './agent-account.js';
import { credentials, type OperatorKit } from './operator-kit.js';

/**
 * A leaf is a NATS server that stores nothing and that agents connect to in place of the one that does: it ends their
 * TLS and holds their connections, and passes on what agents and platform have for each other over one connection for
 * each account. It has no key that signs anything, and its credentials are for these subjects alone.
 */
export type LeafCredentials = {
  /** Reports, heartbeats and answers one way, desired states and requests the other. */
  readonly platform: string;
  /** News of the agents' account, so that what is revoked is cut off here too. */
  readonly system: string;
};

/** Where a server answers whoever asked for a service of another account. */
const REPLIES = '_R_.>';

export function leafCredentials(kit: OperatorKit, name: string): LeafCredentials {
  const subjectsOf = (wanted: 'service' | 'stream') =>
    exportsToAgents.filter(({ type }) => type === wanted).map(({ subject }) => subject);
  return {
    platform: credentials(kit.serviceSigningSeed, name, {
      issuer_account: kit.accountPublicKey,
      allowed_connection_types: ['LEAFNODE'],
      pub: { allow: subjectsOf('service') },
      sub: {
        allow: [...subjectsOf('stream'), ...exportsOfAgents.map(({ subject }) => subject), REPLIES],
      },
    }),
    system: credentials(kit.systemSigningSeed, name, {
      issuer_account: kit.systemAccountPublicKey,
      allowed_connection_types: ['LEAFNODE'],
      pub: { allow: ['$SYS.REQ.CLAIMS.PACK'] },
      sub: { allow: ['$SYS.REQ.CLAIMS.UPDATE', '$SYS.ACCOUNT.*.CLAIMS.UPDATE', '$SYS._INBOX.>'] },
    }),
  };
}

/** Part of the configuration of the server that stores: where leaves reach it. */
export const hubConfigOf = (listen: string): string => `leafnodes { listen: ${JSON.stringify(listen)} }`;

export type LeafLink = {
  /** Of the servers that store, where they wait for leaves; one of them is enough. */
  readonly hubUrls: readonly [string, ...string[]];
  readonly credentialsFiles: Readonly<Record<keyof LeafCredentials, string>>;
};

/** Part of a leaf's configuration. */
export function leafConfigOf(kit: OperatorKit, { hubUrls, credentialsFiles }: LeafLink): string {
  const remote = (account: string, credentialsFile: string) =>
    `  { urls: ${JSON.stringify(hubUrls)}, account: ${account}, credentials: ${JSON.stringify(credentialsFile)} }`;
  return [
    'leafnodes { remotes: [',
    remote(kit.accountPublicKey, credentialsFiles.platform),
    remote(kit.systemAccountPublicKey, credentialsFiles.system),
    '] }',
  ].join('\n');
}
