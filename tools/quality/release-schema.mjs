// Releases the schema in proto/: from now on `buf breaking` compares with it. Refused while the schema breaks what
// was released before, because events are kept for ever and must stay readable.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const proto = join(root, 'proto');
const released = join(proto, 'released.binpb');

function buf(...args) {
  const command = [join(root, 'node_modules/@bufbuild/buf/bin/buf'), ...args];
  const { status } = spawnSync(process.execPath, command, { cwd: proto, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (existsSync(released)) buf('breaking', '--against', released);
buf('build', '--exclude-source-info', '-o', released);
console.log('proto/released.binpb holds the released schema; commit it.');
