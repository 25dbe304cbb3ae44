// What CI does before the tests. Runs every step, two at a time, and shows what failed at the end.
// `npm run check -- lint tidy` runs only those steps.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { pinnedNode, root } from './places.mjs';

const lanesMax = 4;
const stepTimeoutMs = 300_000;
const outputCharactersMax = 200_000;

const tool = path => join(root, 'node_modules', path);
const depcruise = [
  tool('dependency-cruiser/bin/dependency-cruiser.mjs'),
  '--config',
  '.dependency-cruiser.mjs',
];
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', tool('jest/bin/jest.js')];

/** Longest first, so that the lanes end together. */
const steps = [
  { name: 'lint', args: [tool('eslint/bin/eslint.js'), '.', '--max-warnings', '0'] },
  { name: 'types', args: [tool('typescript/bin/tsc'), '-b'] },
  { name: 'format', args: [tool('prettier/bin/prettier.cjs'), '--check', '.'] },
  { name: 'tidy', args: [...jest, '--silent', 'tools/quality'] },
  {
    name: 'boundaries',
    args: [...depcruise, '--output-type', 'err-long', 'libs', 'services', 'tools', 'examples'],
  },
  { name: 'proto lint', folder: 'proto', args: [tool('@bufbuild/buf/bin/buf'), 'lint'] },
  {
    name: 'proto breaking',
    folder: 'proto',
    args: [tool('@bufbuild/buf/bin/buf'), 'breaking', '--against', 'released.binpb'],
  },
];

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal);
    process.exit(130);
  });
}

const failures = [];
const waiting = chosenSteps(process.argv.slice(2));
const lanes = Math.min(lanesMax, availableParallelism());
await Promise.all(Array.from({ length: lanes }, lane));
for (const { name, output } of failures) console.error(`\n── ${name} ──\n${output.trim()}`);
process.exitCode = failures.length === 0 ? 0 : 1;

function chosenSteps(names) {
  const unknown = names.filter(name => !steps.some(step => step.name === name));
  if (unknown.length === 0)
    return names.length ? steps.filter(step => names.includes(step.name)) : [...steps];
  console.error(
    `There is no step ${unknown.join(', ')}; the steps are ${steps.map(step => step.name).join(', ')}.`,
  );
  process.exit(2);
}

async function lane() {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    const startedMs = performance.now();
    const { passed, output } = await run(step);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${passed ? 'ok    ' : 'failed'} ${step.name.padEnd(14)} ${seconds.padStart(6)} s`);
    if (!passed) failures.push({ name: step.name, output });
  }
}

function run({ args, folder = '.' }) {
  const child = spawn(pinnedNode, args, {
    cwd: join(root, folder),
    timeout: stepTimeoutMs,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${tool('.bin')}${delimiter}${process.env.PATH}` },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output = (output + text).slice(-outputCharactersMax);
    });
  }
  return new Promise(resolve => {
    const end = (passed, ending) => {
      running.delete(child);
      resolve({ passed, output: output + ending });
    };
    child.once('error', error => end(false, error.message));
    child.once('close', (code, signal) => end(code === 0, signal ? `\nended by ${signal}` : ''));
  });
}
