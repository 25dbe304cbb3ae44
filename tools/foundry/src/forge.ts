import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Not npm's launcher of it, which ends with 0 whatever Forge has found. */
const binary = join(
  root,
  `node_modules/@foundry-rs/forge-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`,
  'bin/forge',
);
const TIMEOUT_MS = 900_000;
const OUTPUT_BYTES_MAX = 256 * 1024 ** 2;

export const contractsFolder = join(root, 'contracts');

export type Finished = { readonly code: number; readonly stdout: string; readonly stderr: string };

/**
 * Runs Forge in a folder of contracts, ours unless told, and gives its exit code and output, whatever they are. Throws
 * when it could not run or did not end.
 */
export async function forge(args: readonly string[], folder = contractsFolder): Promise<Finished> {
  await linkLibraries(folder);
  const options = { cwd: folder, timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX };
  try {
    return { code: 0, ...(await promisify(execFile)(binary, args, options)) };
  } catch (error) {
    const { code, stdout, stderr } = error as Partial<Finished>;
    if (typeof code !== 'number') throw error;
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  }
}

/** Forge finds libraries only inside of its project. */
async function linkLibraries(folder: string): Promise<void> {
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What Forge prints with `--json`. The compiler's warnings may stand before it. */
export function printed(stdout: string): unknown {
  const starts = ['{', '['].map(bracket => stdout.indexOf(bracket)).filter(start => start >= 0);
  if (starts.length === 0) throw new Error(`forge printed no JSON: ${stdout.slice(0, 2_000)}`);
  return JSON.parse(stdout.slice(Math.min(...starts)));
}
