import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from './benchmark.js';

const installLimitMs = 300_000;

/**
 * A rival is no part of the platform, so it is installed on first use, beside the platform's own packages.
 * @param contains a package that is there when it has been installed
 * @returns false when it could not be, which is said
 */
export async function installRival(
  name: string,
  folder: string,
  contains: string,
  progress: Progress,
): Promise<boolean> {
  if (existsSync(join(folder, 'node_modules', contains))) return true;
  progress(`installing ${name}`);
  try {
    await runIn(folder, 'npm', ['install', '--no-audit', '--no-fund'], installLimitMs);
    return true;
  } catch (error) {
    console.error(`${name} could not be installed, so there is no figure of it: ${String(error)}`);
    return false;
  }
}

/** What the program printed. @throws Error when it did not end well, or not in time */
export async function runIn(
  folder: string,
  file: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const child = spawn(file, args, {
    cwd: folder,
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${file} ${args[0]} ended with ${signal ?? code}`);
  return output.trim();
}
