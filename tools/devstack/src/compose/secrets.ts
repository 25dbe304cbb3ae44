import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectionFile, type Connection } from '@astro/admin/connection';
import {
  accountKeeperCredentials,
  generateOperatorKit,
  serverConfigOf,
  serviceCredentials,
} from '@astro/jetstream/operator-kit';
import type { ProvisionOptions } from '@astro/postgres/provision';
import { anvilSettlerKey } from '../anvil/server.js';
import { roleOf, services } from '../services.js';

/** What the provisioning container reads. */
export type ProvisionPlan = {
  readonly natsUrl: string;
  readonly natsCredentials: string;
  readonly natsReplicas: number;
  readonly databaseAdminUrl: string;
  readonly database: ProvisionOptions;
};

const database = 'astro';
const natsUrl = ['nats-1', 'nats-2', 'nats-3'].map(host => `nats://${host}:4222`).join(',');
const natsReplicas = 3;
const done = 'provision/provision.json';

const password = () => randomBytes(24).toString('base64url');
const databaseUrl = (role: string, secret: string, name: string) =>
  `postgresql://${role}:${secret}@postgres:5432/${name}`;

/**
 * The secrets of a compose installation: a folder for each container, which is a volume that no other container
 * mounts. Made once; the file that is written last says that all are there.
 */
export function prepareSecrets(folder: string): boolean {
  if (existsSync(join(folder, done))) return false;
  for (const [path, text] of Object.entries(makeSecrets())) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    // Containers run under accounts of their own; who may read is decided by who mounts the volume.
    writeFileSync(join(folder, path), text, { mode: 0o644 });
  }
  return true;
}

function makeSecrets(): Record<string, string> {
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
    // Of the installation's own chain, where everybody knows it.
    'billing/settler-key': anvilSettlerKey,
    'admin/nats.creds': serviceCredentials(kit, 'admin'),
    [connectionFile('admin')]: JSON.stringify(connection),
    [done]: JSON.stringify(plan),
  };
}
