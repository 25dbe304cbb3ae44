import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fingerprintOfContents, fingerprintOfFiles, sourcesUnder } from './fingerprint.mjs';
import { isInstalledByHand } from './installed.mjs';
import { exclusively } from './lock.mjs';
import { cacheFolder, pinnedNode, root } from './places.mjs';
import { stampOf, writeStamp } from './stamps.mjs';

export class StepFailed extends Error {}

const workspaceFolders = ['libs', 'services', 'tools', 'examples'];
const workspaceManifests = () => sourcesUnder(workspaceFolders, /^package\.json$/);
const present = path => existsSync(join(root, path));

/** In the order in which they are done; each is skipped while its inputs are what they were and its outputs exist. */
const steps = [
  {
    name: 'install',
    says: 'installing (first time, about a minute)',
    inputs: () => ['package.json', 'package-lock.json', ...workspaceManifests()],
    fingerprint: fingerprintOfContents,
    outputs: () => ['node_modules/.package-lock.json'],
    isDone: () => isInstalledByHand(workspaceManifests()),
    run: log => run(log, npm, ['install', '--no-audit', '--no-fund']),
  },
  {
    name: 'messages',
    says: 'generating the messages from proto/',
    inputs: () => ['libs/messages/generate.mjs', ...sourcesUnder(['proto'], /\.(proto|yaml)$/)],
    fingerprint: fingerprintOfContents,
    outputs: () => ['libs/messages/src/gen/catalogue.ts'],
    run: log => run(log, pinnedNode, ['libs/messages/generate.mjs']),
  },
  {
    name: 'contracts',
    says: 'compiling the contracts and generating their types',
    inputs: () => [
      'libs/chain/generate.mjs',
      'contracts/foundry.toml',
      ...sourcesUnder(['contracts/src', 'contracts/tools'], /\.(sol|mjs)$/),
    ],
    fingerprint: fingerprintOfContents,
    outputs: () => ['libs/chain/src/gen/Escrow.ts'],
    run: log => run(log, pinnedNode, ['libs/chain/generate.mjs']),
  },
  {
    name: 'build',
    says: 'compiling',
    // Generated messages and contracts are outputs of the steps before, so their inputs stand for them here.
    inputs: () => [
      'tsconfig.build.json',
      'tsconfig.base.json',
      ...sourcesUnder(
        ['libs', 'services', 'tools', 'examples', 'proto', 'contracts/src'],
        /(\.(ts|tsx|proto|sol)|^tsconfig\.json|^package\.json)$/,
      ),
    ],
    fingerprint: fingerprintOfFiles,
    outputs: () => referencedProjects().map(project => `${project}/dist/.tsbuildinfo`),
    run: log => run(log, pinnedNode, ['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json']),
  },
  {
    name: 'examples',
    says: 'compiling the example programs to WebAssembly',
    inputs: () => sourcesUnder(['examples'], /./),
    fingerprint: fingerprintOfFiles,
    outputs: () => exampleBuilds().map(script => `${dirname(script)}/build`),
    run: async log => {
      for (const script of exampleBuilds()) await run(log, pinnedNode, [script]);
    },
  },
];

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** Does what is not done yet. Costs some milliseconds when everything is. */
export async function prepare() {
  if (steps.every(isDone)) return;
  await exclusively(async () => {
    for (const step of steps) if (!isDone(step)) await perform(step);
  });
}

function isDone(step) {
  if (!step.outputs().every(present)) return false;
  const fingerprint = step.fingerprint(step.inputs());
  if (stampOf(step.name) === fingerprint) return true;
  if (!step.isDone?.()) return false;
  writeStamp(step.name, fingerprint);
  return true;
}

async function perform(step) {
  if (step.name !== 'install' && !existsSync(pinnedNode)) {
    throw new StepFailed(
      `${pinnedNode} is missing: npm must be allowed to run the install script of "node".`,
    );
  }
  console.error(step.says);
  mkdirSync(cacheFolder, { recursive: true });
  const logPath = join(cacheFolder, `${step.name}.log`);
  const log = openSync(logPath, 'w');
  // Taken before the work: what changes while it runs makes the step due again.
  const before = step.name === 'install' ? undefined : step.fingerprint(step.inputs());
  try {
    await step.run(log);
  } catch (error) {
    throw new StepFailed(
      `${readFileSync(logPath, 'utf8')}\n${step.says}: ${error.message} (log: ${logPath})`,
    );
  } finally {
    closeSync(log);
  }
  writeStamp(step.name, before ?? step.fingerprint(step.inputs()));
}

function run(log, file, args) {
  const path = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
  const child = spawn(file, args, {
    cwd: root,
    stdio: ['ignore', log, log],
    env: file === npm ? process.env : { ...process.env, PATH: path },
    shell: process.platform === 'win32' && file === npm,
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0
        ? resolve()
        : reject(new Error(`${file} ${args.join(' ')} ended with ${signal ?? `code ${code}`}`)),
    );
  });
}

/** The projects that `tsc -b` builds, as tsconfig.build.json lists them. */
const referencedProjects = () =>
  JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8')).references.map(
    reference => reference.path,
  );

const exampleBuilds = () => sourcesUnder(['examples'], /^build\.mjs$/);
