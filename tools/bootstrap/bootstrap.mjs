import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInForeground } from './foreground.mjs';
import { pinnedNode, root } from './places.mjs';
import { prepare, StepFailed } from './steps.mjs';
import { closingLine, readCounts, writeTogether } from './test-counts.mjs';

const commands = {
  demo: args => runOnPinnedNode('tools/demo/dist/main.js', args),
  start: args => runOnPinnedNode('tools/devstack/dist/start.js', args),
  reset: args => runOnPinnedNode('tools/devstack/dist/reset.js', args),
  'pay-in': args => runOnPinnedNode('tools/devstack/dist/pay-in.js', args),
  admin: args => runOnPinnedNode('tools/admin/dist/main.js', args),
  projection: args => runOnPinnedNode('tools/projections/dist/main.js', args),
  archive: args => runOnPinnedNode('tools/archivist/dist/main.js', args),
  astro: args => runOnPinnedNode('tools/cli/dist/main.js', args),
  'dead-letters': args => runOnPinnedNode('tools/dead-letters/dist/main.js', args),
  chain: args => runOnPinnedNode('tools/deployer/dist/main.js', args),
  bench: args => runOnPinnedNode('tools/bench/dist/main.js', args),
  chaos: args => runOnPinnedNode('tools/chaos/dist/main.js', args),
  check: args => runOnPinnedNode('tools/bootstrap/check.mjs', args),
  build: async () => 0,
  test,
};

export async function bootstrap(command, args) {
  if (!Object.hasOwn(commands, command)) {
    console.error(`Usage: node tools/bootstrap/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
    process.exit(2);
  }
  try {
    await prepare();
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    console.error(error.message);
    process.exit(1);
  }
  process.exitCode = await commands[command](args);
}

function runOnPinnedNode(entry, args) {
  if (!existsSync(join(root, entry))) {
    console.error(`${entry} is missing although everything was built.`);
    return 1;
  }
  return runInForeground(pinnedNode, [join(root, entry), ...args]);
}

/** Specs of whole platforms, each of which is many processes. */
const wholePlatforms = '\\.e2e\\.spec\\.ts$';

/**
 * Jest over the whole repository, or over what `args` names; closes with one line that counts the tests. Of the whole,
 * the specs of whole platforms run one after the other, and then all others side by side.
 */
async function test(args) {
  const folder = await mkdtemp(join(tmpdir(), 'astro-test-'));
  try {
    const asked = args.find(arg => arg.startsWith('--outputFile='))?.slice('--outputFile='.length);
    const results = asked ?? join(folder, 'results.json');
    const options = args.filter(arg => arg !== '--json' && !arg.startsWith('--outputFile='));
    const isWhole = options.length === 0;
    const parts = isWhole
      ? [
          ['--maxWorkers=1', `--testPathPatterns=${wholePlatforms}`],
          ['--testPathIgnorePatterns=/node_modules/', `--testPathIgnorePatterns=${wholePlatforms}`],
        ]
      : [options];
    const runs = [];
    for (const [index, part] of parts.entries()) {
      const file = isWhole ? join(folder, `part-${index}.json`) : results;
      runs.push({ file, exitCode: await jest([...part, '--json', `--outputFile=${file}`]) });
    }
    if (isWhole)
      await writeTogether(
        runs.map(({ file }) => file),
        results,
      );
    if (existsSync(results)) console.log(closingLine(await readCounts(results)));
    return runs.find(({ exitCode }) => exitCode !== 0)?.exitCode ?? 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const jest = args =>
  runInForeground(pinnedNode, [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    ...args,
  ]);
