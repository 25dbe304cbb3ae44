import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectionFile, type Connection } from '@astro/admin/connection';
import { leafConfigOf, leafCredentials } from '@astro/jetstream/leaf';
import {
  accountKeeperCredentials,
  generateOperatorKit,
  serverConfigOf,
  serviceCredentials,
  type OperatorKit,
} from '@astro/jetstream/operator-kit';
import type { ProvisionOptions } from '@astro/postgres/provision';
import { anvilSettlerKey } from '../anvil/server.js';
import { roleOf, services } from '../services.js';
import { makeCertificate, type Certificate } from './certificate.js';

/** What the provisioning container reads. */
export type ProvisionPlan = {
  readonly natsUrl: string;
  readonly natsCredentials: string;
  readonly natsReplicas: number;
  readonly databaseAdminUrl: string;
  readonly database: ProvisionOptions;
};

const database = 'astro';
const natsHosts = ['nats-1', 'nats-2', 'nats-3'] as const;
const natsUrl = natsHosts.map(host => `nats://${host}:4222`).join(',');
const [leafHub, ...otherLeafHubs] = natsHosts.map(host => `nats-leaf://${host}:7422`);
const natsReplicas = 3;
const done = 'provision/provision.json';

const password = () => randomBytes(24).toString('base64url');
const databaseUrl = (role: string, secret: string, name: string) =>
  `postgresql://${role}:${secret}@postgres:5432/${name}`;

/**
 * The secrets of a compose installation: a folder for each container, which is a volume that no other container
 * mounts. Made once; the file that is written last says that all are there.
 */
export async function prepareSecrets(folder: string): Promise<boolean> {
  if (existsSync(join(folder, done))) return false;
  for (const [path, text] of Object.entries(await makeSecrets())) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    // Containers run under accounts of their own; who may read is decided by who mounts the volume.
    writeFileSync(join(folder, path), text, { mode: 0o644 });
  }
  return true;
}

async function makeSecrets(): Promise<Record<string, string>> {
  const certificate = await makeCertificate(['nats-agents', 'localhost'], ['127.0.0.1']);
  const kit = generateOperatorKit();
  const superuserPassword = password();
  const logins = services.map(row => {
    return { name: row.name, role: roleOf(row), schema: row.context, password: password() };
  });
  const reader = logins.find(({ schema }) => schema === undefined)!;
  const plan: ProvisionPlan = {
    natsUrl,
    natsReplicas,
    natsCredentials: serviceCredentials(kit, 'provision'),
    databaseAdminUrl: databaseUrl('postgres', superuserPassword, 'postgres'),
    database: {
      database,
      owners: logins.flatMap(({ role, schema, password }) => (schema ? [{ role, schema, password }] : [])),
      reader: { role: reader.role, password: reader.password },
    },
  };
  const connection: Connection = {
    gatewayUrl: 'http://gateway:8080',
    natsUrl,
    natsCredentialsFile: '/secrets/nats.creds',
    databaseUrl: databaseUrl(reader.role, reader.password, database),
  };
  return {
    'nats/nats-accounts.conf': serverConfigOf(kit, '/data/accounts'),
    ...secretsOfLeaf(kit, certificate),
    'postgres/password': superuserPassword,
    ...Object.fromEntries(
      logins.flatMap(({ name, role, password: secret }) => [
        [`${name}/nats.creds`, serviceCredentials(kit, name)],
        [`${name}/database-url`, databaseUrl(role, secret, database)],
      ]),
    ),
    'gateway/agent-account-public-key': kit.agentAccountPublicKey,
    'gateway/agent-signing-seed': kit.agentSigningSeed,
    'registry/agent-account-public-key': kit.agentAccountPublicKey,
    'registry/operator-signing-seed': kit.operatorSigningSeed,
    'registry/account-keeper.creds': accountKeeperCredentials(kit, 'registry'),
    'verification/audit-secret': randomBytes(32).toString('hex'),
    // Of the installation's own chain, where everybody knows it.
    'billing/settler-key': anvilSettlerKey,
    'admin/nats.creds': serviceCredentials(kit, 'admin'),
    [connectionFile('admin')]: JSON.stringify(connection),
    [done]: JSON.stringify(plan),
  };
}

/** Of the server that agents connect to: it stores nothing, and has no key that signs. */
function secretsOfLeaf(kit: OperatorKit, certificate: Certificate): Record<string, string> {
  const texts = leafCredentials(kit, 'nats-agents');
  const link = {
    hubUrls: [leafHub!, ...otherLeafHubs] as const,
    credentialsFiles: { platform: '/secrets/platform.creds', system: '/secrets/system.creds' },
  };
  return {
    'nats-agents/leaf.conf': `${serverConfigOf(kit, '/data/accounts')}\n${leafConfigOf(kit, link)}\n`,
    'nats-agents/platform.creds': texts.platform,
    'nats-agents/system.creds': texts.system,
    'nats-agents-tls/tls.crt': certificate.certificate,
    'nats-agents-tls/tls.key': certificate.key,
    'agents-trust/ca.crt': certificate.certificate,
  };
}
