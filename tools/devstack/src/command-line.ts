import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from './repository.js';

const entry = join(repositoryRoot, 'tools/cli/dist/main.js');
const TIMEOUT_MS = 120_000;

export type Ended = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs `astro` as a process of its own, with nothing of this process's environment but where programs are. */
export const runAstro = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> =>
  new Promise(resolve => {
    const options = { env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env }, timeout: TIMEOUT_MS };
    execFile(process.execPath, [entry, ...args], options, (error, stdout, stderr) =>
      resolve({
        exitCode: typeof error?.code === 'number' ? error.code : Number(error !== null),
        stdout,
        stderr,
      }),
    );
  });
