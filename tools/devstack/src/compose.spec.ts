import { afterAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { commandPartitions } from '@astro/jetstream/subjects';
import { readConfiguration } from '@astro/chain/deployment/configuration';
import { walletFrom, walletOf } from '@astro/chain/wallet';
import { agentEnvironment } from './agents.js';
import { anvilMnemonic, anvilSettlerKey, chainArguments } from './anvil/server.js';
import { prepareSecrets, type ProvisionPlan } from './compose/secrets.js';
import { anvilImage, natsImage, postgresImage } from './infrastructure/images.js';
import { repositoryRoot } from './repository.js';
import { roleOf, serviceNames, services } from './services.js';

const text = z.string().min(1);
const duration = z.string().regex(/^\d+(ms|s|m)$/);
const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);

/** The part of the Compose Specification that is used here. Strict: what it does not know is an error. */
const composeService = z.strictObject({
  image: text,
  build: z.strictObject({ context: text, dockerfile: text }).optional(),
  command: z.array(text).optional(),
  entrypoint: z.array(text).optional(),
  user: text.optional(),
  profiles: z.array(text).optional(),
  restart: z.enum(['no', 'unless-stopped']),
  depends_on: z.record(z.string(), z.strictObject({ condition })).optional(),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).optional(),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.literal('CMD')], text),
      interval: duration,
      timeout: duration,
      start_period: duration.optional(),
      retries: z.number().int().positive(),
    })
    .optional(),
  ports: z
    .array(
      z
        .string()
        .transform(withDefaults)
        .pipe(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)),
    )
    .optional(),
  volumes: z
    .array(
      z
        .string()
        .transform(withDefaults)
        .pipe(z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/)),
    )
    .optional(),
  stop_signal: z.literal('SIGINT').optional(),
  stop_grace_period: duration.optional(),
  deploy: z.strictObject({ replicas: z.number().int().min(1).max(commandPartitions) }).optional(),
});
type ComposeService = z.infer<typeof composeService>;

const composeFile = z.strictObject({
  name: text,
  services: z.record(z.string().regex(/^[a-z0-9-]+$/), composeService),
  volumes: z.record(z.string(), z.strictObject({})),
});

const source = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
const { success, data, error } = composeFile.safeParse(
  withoutExtensions(parse(source, { merge: true }) as Record<string, unknown>),
);
const compose = success ? data : { name: '', services: {}, volumes: {} };
const entries = Object.entries(compose.services);

/** `x-…` is where the file keeps its own building blocks. */
function withoutExtensions(file: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(file).filter(([key]) => !key.startsWith('x-')));
}

/** As Compose reads it where the environment says nothing. */
function withDefaults(value: string): string {
  return value.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1');
}

const keysOf = (record: object | undefined) => Object.keys(record ?? {}).sort();
const serviceNamed = (name: string): ComposeService => {
  const found = compose.services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};

test('the file has the shape that Compose asks for', () => expect(error).toBeUndefined());

describe('compose and the supervisor agree', () => {
  test('on which services there are', () => {
    const commands = entries.flatMap(([, { command }]) => command?.slice(0, 1) ?? []);
    const ours = commands.filter(command =>
      existsSync(join(repositoryRoot, 'services', command, 'tsconfig.json')),
    );
    expect(ours.sort()).toEqual([...serviceNames, 'node-agent'].sort());
  });

  test.each(services.map(row => [row.name, row] as const))('on the configuration keys of %s', (name, row) => {
    expect(serviceNamed(name).command).toEqual([name]);
    expect(keysOf(serviceNamed(name).environment)).toEqual(keysOf(row.settings));
  });

  test('on the configuration keys of node-agent', () => {
    const agent = {
      name: 'a',
      operatorKey: 'k',
      region: 'r',
      pricePerSecondAtto: 1n,
      cpuMillis: 1,
      memoryMib: 1,
    };
    const whereabouts = { gatewayUrl: 'http://gateway', contentAddress: '127.0.0.1:1' };
    const place = { ...whereabouts, stateDir: '/agent', httpPort: 1, logLevel: 'info' };
    const trusted = { NATS_CA: '/trust/ca.crt' };
    expect(keysOf(serviceNamed('node-agent').environment)).toEqual(
      keysOf({ ...agentEnvironment(agent, place), ...trusted }),
    );
  });

  test('on the images of the servers', () => {
    expect(serviceNamed('nats-1').image).toBe(natsImage);
    expect(serviceNamed('postgres').image).toBe(postgresImage);
    expect(serviceNamed('anvil').image).toBe(anvilImage);
  });
});

describe('the chain of a compose installation', () => {
  test('has the accounts of a local chain, with which the protocol is deployed', () => {
    const flags = serviceNamed('anvil').command ?? [];
    for (let index = 0; index < chainArguments.length; index += 2)
      expect(flags).toContain(`${chainArguments[index]}=${chainArguments[index + 1]}`);
    const { DEPLOYER_PRIVATE_KEY: key = '' } = serviceNamed('deployer').environment ?? {};
    expect(walletOf(key).address).toBe(walletFrom(anvilMnemonic, 0).address);
  });

  test('lets billing settle by the key that the deployment gives the role to', () => {
    const json = readFileSync(join(repositoryRoot, 'deploy/chain/local.json'), 'utf8');
    const { roles } = readConfiguration(JSON.parse(json));
    expect(walletOf(anvilSettlerKey).address).toBe(roles.settler);
    const { SETTLER_KEY_FILE: file = '' } = serviceNamed('billing').environment ?? {};
    expect(file).toBe('${SETTLER_KEY_FILE-/secrets/settler-key}');
  });

  test('is called final deeper than what is lost when it is killed', () => {
    const flagOf = (name: string) =>
      Number(
        serviceNamed('anvil')
          .command?.find(flag => flag.startsWith(`--${name}=`))
          ?.split('=')[1],
      );
    const finalAfterSeconds = 2 * flagOf('slots-in-an-epoch') * flagOf('block-time');
    expect(finalAfterSeconds).toBeGreaterThan(10 * flagOf('state-interval'));
  });
});

describe('the compose file', () => {
  test('waits only for services that exist, and for their health only when it is checked', () => {
    for (const [name, { depends_on: waits = {} }] of entries) {
      for (const [other, { condition: until }] of Object.entries(waits)) {
        const isChecked = serviceNamed(other).healthcheck !== undefined;
        expect([name, other, until === 'service_healthy' && !isChecked]).toEqual([name, other, false]);
      }
    }
  });

  test('mounts only volumes that it declares and files that exist', () => {
    for (const [, { volumes = [] }] of entries) {
      for (const volume of volumes) {
        const [from = ''] = volume.split(':');
        const isThere = from.startsWith('./')
          ? existsSync(join(repositoryRoot, from))
          : from in compose.volumes;
        expect([from, isThere]).toEqual([from, true]);
      }
    }
  });

  test('shows each service the secrets of no other', () => {
    for (const name of serviceNames) {
      const secrets = serviceNamed(name).volumes?.filter(volume => volume.startsWith('secrets-'));
      expect(secrets).toEqual([`secrets-${name}:/secrets:ro`]);
    }
  });

  test('holds no secret itself', () => {
    for (const [, { environment = {} }] of entries) {
      for (const key of ['DATABASE_URL', 'AGENT_SIGNING_SEED', 'OPERATOR_KEY']) {
        expect(environment[key] ?? 'file:').toMatch(/^(file:|\$\{)/);
      }
    }
  });
});

describe('the secrets of a compose installation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'astro-secrets-spec-'));
  const contentOf = (path: string) => readFileSync(join(folder, path), 'utf8');
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are made once', async () => {
    expect(await prepareSecrets(folder)).toBe(true);
    const before = contentOf('nats/nats-accounts.conf');
    expect(await prepareSecrets(folder)).toBe(false);
    expect(contentOf('nats/nats-accounts.conf')).toBe(before);
    expect(contentOf('billing/settler-key')).toBe(anvilSettlerKey);
  });

  test('lie where the containers look for them', () => {
    for (const [name, { environment = {}, volumes = [] }] of entries) {
      const volume = volumes.find(mount => mount.endsWith(':/secrets:ro'))?.split(':')[0];
      for (const value of Object.values(environment)) {
        const [, file] = /^(?:file:)?\/secrets\/(.+)$/.exec(value) ?? [];
        if (file === undefined) continue;
        expect([name, existsSync(join(folder, volume!.replace('secrets-', ''), file))]).toEqual([name, true]);
      }
    }
  });

  test('let each service log in as itself', () => {
    const { database } = JSON.parse(contentOf('provision/provision.json')) as ProvisionPlan;
    for (const { role, password } of [...database.owners, database.reader]) {
      const { name } = services.find(row => roleOf(row) === role)!;
      const url = new URL(contentOf(`${name}/database-url`));
      expect([url.username, url.password, url.pathname]).toEqual([role, password, `/${database.database}`]);
    }
    expect(database.owners.map(({ schema }) => schema)).toEqual(services.flatMap(row => row.context ?? []));
  });
});
