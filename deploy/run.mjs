// Entry of the image: the argument names what to run. A variable whose value is `file:<path>` gets what is in that
// file, so that secrets are mounted and never stand in a compose file.
import { existsSync, readFileSync } from 'node:fs';

const [, , name = '', ...args] = process.argv;
const entries = [
  `services/${name}/dist/main.js`,
  `tools/${name}/dist/main.js`,
  `tools/devstack/dist/compose/${name}.js`,
];
const entry = /^[a-z-]+$/.test(name) ? entries.find(path => existsSync(path)) : undefined;
if (!entry) {
  console.error(`"${name}" is neither a service nor a tool of this image.`);
  process.exit(2);
}

for (const [variable, value] of Object.entries(process.env)) {
  if (!value?.startsWith('file:')) continue;
  try {
    process.env[variable] = readFileSync(value.slice('file:'.length), 'utf8').trim();
  } catch (error) {
    console.error(`${variable}: ${error.message}`);
    process.exit(1);
  }
}

process.argv = [process.argv[0], entry, ...args];
await import(`../${entry}`);
