import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runAstro } from '@astro/devstack/command-line';
import { compileProgram } from '../../../services/node-agent/src/sandbox/assembly-script.fixture.js';

/** Writes what it reads backwards, and tells the world about it. */
export const backwardsProgram = () =>
  compileProgram(`
const secret = new Uint8Array(64);
read(open(INPUT, "secret", 0, 2), secret);
secret.reverse();
output("answer", secret);
write(1, secret);
`);

/** `astro data …` as the client says it, with an answer in JSON. */
export async function astroData<Answer>(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { exitCode, stdout, stderr } = await runAstro(['data', ...args, '--json'], env);
  if (exitCode !== 0)
    throw new Error(`astro data ${args.join(' ')} ended with ${exitCode}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as Answer;
}

/** Paths below a folder of the files that hold these bytes. */
export async function filesWith(folder: string, bytes: Uint8Array): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // What runs here removes files of its own all the time.
    const held = await readFile(path).catch(() => Buffer.alloc(0));
    if (held.includes(Buffer.from(bytes))) found.push(path);
  }
  return found;
}
