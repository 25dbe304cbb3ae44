import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const contractsFolder = join(dirname(fileURLToPath(import.meta.url)), '..');
const binary = join(contractsFolder, '../node_modules/.bin/forge');
const timeoutMs = 900_000;
const outputBytesMax = 256 * 1024 ** 2;

/**
 * Runs Forge in a folder of contracts.
 *
 * @param {readonly string[]} args
 * @param {string} [folder] The project; this one unless told.
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>} Whatever the exit code.
 */
export async function forge(args, folder = contractsFolder) {
  const options = { cwd: folder, timeout: timeoutMs, maxBuffer: outputBytesMax };
  try {
    return { code: 0, ...(await promisify(execFile)(binary, args, options)) };
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}
