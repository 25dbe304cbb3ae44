// Releases the schema in proto/: from now on `buf breaking` compares with it, and the corpus of recorded messages
// holds an example of each of its shapes. Refused while the schema breaks what was released before, because events
// are kept for ever and must stay readable.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const proto = join(root, 'proto');
const released = join(proto, 'released.binpb');
const corpus = join(root, 'libs/messages/testdata');

function run(folder, script, ...args) {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
const buf = (...args) => run(proto, 'node_modules/@bufbuild/buf/bin/buf', ...args);

if (existsSync(released)) buf('breaking', '--against', released);
buf('build', '--exclude-source-info', '-o', released);

run(root, 'libs/messages/generate.mjs');
run(root, 'node_modules/typescript/bin/tsc', '-b', 'libs/messages');
const { growCorpus, schemaIn } = await import('@astro/messages/corpus');
const recorded = growCorpus(corpus, schemaIn(readFileSync(released)));
const growth = recorded.length === 0 ? 'holds all of it already' : `grew by ${recorded.join(', ')}`;
console.log(`proto/released.binpb holds the released schema; libs/messages/testdata ${growth}. Commit both.`);
