import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

type Breach = readonly [rule: string, from: string, specifier: string];

/** Each line is a file whose one import breaks one boundary. */
const breaches: readonly Breach[] = [
  ['no-cycles', 'libs/runtime/src/egg.ts', './hen.js'],
  ['no-orphans', 'libs/runtime/src/alone.ts', ''],
  ['resolvable', 'services/billing/src/lost.module.ts', './nowhere.js'],
  ['resolvable', 'services/billing/src/astray.module.ts', '@astro/runtime/nowhere'],
  ['declared', 'services/billing/src/undeclared.module.ts', 'undeclared'],
  ['no-development-packages', 'services/billing/src/mocked.module.ts', 'jest'],
  ['no-built-output', 'services/billing/src/built.module.ts', '../../../libs/runtime/dist/logging.js'],
  ['no-path-into-packages', 'services/billing/src/deep.module.ts', '../../../node_modules/pino/pino.js'],
  ['services-apart', 'services/billing/src/spy.module.ts', '@astro/scheduling/scheduling.module'],
  ['services-apart', 'services/billing/src/mole.module.ts', '../../scheduling/src/scheduling.module.js'],
  ['services-without-tools', 'services/billing/src/staged.module.ts', '@astro/devstack/platform'],
  ['services-without-tools', 'libs/runtime/src/staged.ts', '@astro/devstack/platform'],
  ['libs-below-services', 'libs/runtime/src/upward.ts', '@astro/scheduling/scheduling.module'],
  ['libs-below-services', 'libs/runtime/src/upward.spec.ts', '@astro/admin/administration'],
  ['event-sourcing-alone', 'libs/event-sourcing/src/wired.ts', '@nestjs/common'],
  ['event-sourcing-alone', 'libs/event-sourcing/src/stored.ts', '@mikro-orm/core'],
  ['event-sourcing-alone', 'libs/event-sourcing/src/worded.ts', '@astro/messages/scheduling'],
  ['messages-alone', 'libs/messages/src/bussed.ts', '@astro/jetstream/bus'],
  ['matching-alone', 'libs/matching/src/logged.ts', 'pino'],
  ['matching-without-io', 'libs/matching/src/filed.ts', 'node:fs'],
  ['attestation-alone', 'libs/attestation/src/filed.ts', 'node:fs'],
  ['attestation-alone', 'libs/attestation/src/worded.ts', '@astro/messages/scheduling'],
  ['nats-in-jetstream', 'services/billing/src/direct.module.ts', '@nats-io/transport-node'],
  ['nats-in-jetstream', 'libs/runtime/src/direct.spec.ts', '@nats-io/transport-node'],
  ['ethers-in-chain', 'services/billing/src/chained.module.ts', 'ethers'],
  ['nest-at-the-edge', 'libs/postgres/src/nested.ts', '@nestjs/common'],
  ['read-models-only-read', 'libs/read-models/src/billing/sending.ts', '@astro/jetstream/bus'],
  ['libs-in-layers', 'libs/postgres/src/bussed.ts', '@astro/jetstream/bus'],
  ['domain-is-pure', 'services/scheduling/src/job/fetched.ts', 'node:http'],
  ['domain-is-pure', 'services/scheduling/src/job/stored.ts', '@astro/jetstream/bus'],
  ['domain-is-pure', 'services/scheduling/src/named.ts', 'node:crypto'],
  ['domain-is-pure', 'services/scheduling/src/job/wired.ts', '../scheduling.module.js'],
];

/** What the boundaries allow; a rule that forbids everything would pass the list above. */
const lawful: readonly (readonly [from: string, specifier: string])[] = [
  ['libs/jetstream/src/bus.ts', '@nats-io/transport-node'],
  ['libs/chain/src/provider.ts', 'ethers'],
  ['libs/runtime/src/logging.ts', 'pino'],
  ['libs/event-sourcing/src/ids.ts', 'node:crypto'],
  ['libs/runtime/src/lawful.spec.ts', '@astro/devstack/platform'],
  ['services/scheduling/src/main.ts', './scheduling.module.js'],
  ['services/scheduling/src/scheduling.module.ts', '@nestjs/common'],
  ['services/scheduling/src/job/job.ts', '@astro/event-sourcing/decider'],
  ['services/scheduling/src/job/compare.ts', 'node:util'],
  ['services/scheduling/src/pool/pool.ts', '../job/job.js'],
  ['services/scheduling/src/pool/place.ts', '@astro/matching/columns'],
];

/** Files and packages that the imports above lead to. */
const surroundings: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    dependencies: {
      pino: '1',
      ethers: '1',
      '@nestjs/common': '1',
      '@mikro-orm/core': '1',
      '@nats-io/transport-node': '1',
    },
    devDependencies: { jest: '1' },
  }),
  'tsconfig.json': '{}',
  'libs/runtime/src/hen.ts': "import './egg.js';\n",
  'libs/runtime/dist/logging.js': 'export {};\n',
  'libs/event-sourcing/src/decider.ts': "import './ids.js';\n",
  'libs/messages/src/gen/scheduling.ts': "import '@astro/event-sourcing/decider';\n",
  'libs/matching/src/columns.ts': "import './rows.js';\n",
  'libs/matching/src/rows.ts': 'export {};\n',
  'tools/devstack/src/platform.ts': "import './servers.js';\n",
  'tools/devstack/src/servers.ts': 'export {};\n',
  'tools/admin/src/administration.ts': "import '@astro/devstack/platform';\n",
};

describe('boundaries', () => {
  let folder: string;
  let violations: readonly string[];

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'astro-boundaries-')));
    for (const [path, text] of Object.entries(surroundings)) write(path, text);
    for (const [, from, specifier] of breaches) write(from, importOf(specifier));
    for (const [from, specifier] of lawful) write(from, importOf(specifier));
    for (const name of [
      'pino',
      'ethers',
      'jest',
      'undeclared',
      '@nestjs/common',
      '@mikro-orm/core',
      '@nats-io/transport-node',
    ]) {
      write(
        `node_modules/${name}/package.json`,
        JSON.stringify({ name, version: '1.0.0', type: 'module', main: 'pino.js' }),
      );
      write(`node_modules/${name}/pino.js`, 'export {};\n');
    }
    violations = cruise(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };

  test.each(breaches)('%s: %s may not import %s', (rule, from) => {
    expect(violations).toContain(`${rule} ${from}`);
  });

  test.each(lawful)('%s may import %s', from => {
    expect(violations.filter(violation => violation.endsWith(` ${from}`))).toEqual([]);
  });

  test('every boundary has a planted breach', async () => {
    const { default: configuration } = (await import(join(root, '.dependency-cruiser.mjs'))) as Configuration;
    const planted = new Set(breaches.map(([rule]) => rule));
    expect(configuration.forbidden.map(rule => rule.name).filter(name => !planted.has(name))).toEqual([]);
  });
});

type Configuration = { readonly default: { readonly forbidden: readonly { readonly name: string }[] } };
type Report = {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
};

const importOf = (specifier: string) => (specifier ? `import '${specifier}';\n` : 'export {};\n');

/** The violations in a miniature repository, as `<rule> <file>`. */
function cruise(folder: string): readonly string[] {
  const command = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const options = ['--config', join(root, '.dependency-cruiser.mjs'), '--output-type', 'json'];
  const output = execFileSync(process.execPath, [command, ...options, 'libs', 'services', 'tools'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 16 << 20,
  });
  const report = JSON.parse(output) as Report;
  return report.summary.violations.map(({ from, rule }) => `${rule.name} ${from}`);
}
