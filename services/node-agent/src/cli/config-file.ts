import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { replaceFile } from '../state/json-file.js';

export type Settings = Readonly<Record<string, string>>;

/** The settings in a file of lines `KEY=value`, as systemd reads them too. Undefined where there is no file. */
export async function readConfigFile(path: string): Promise<Settings | undefined> {
  try {
    return parseEnv(await readFile(path, 'utf8')) as Settings;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the file says, under what the environment says. @throws Error when the file that is named is not there */
export async function settingsWith(
  path: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<NodeJS.ProcessEnv> {
  const file = path === undefined ? {} : await readConfigFile(path);
  if (file === undefined) throw new Error(`${path} is not there: \`astro node init\` writes it`);
  return under(env, file);
}

/**
 * Some of the settings as file and environment say them now: what an operator may change while the agent runs.
 * @throws Error naming what breaks its rule
 */
export async function settingsNow<T>(schema: z.ZodType<T>, path: string, env: NodeJS.ProcessEnv): Promise<T> {
  const read = schema.safeParse(await settingsWith(path, env));
  if (!read.success) throw new Error(z.prettifyError(read.error));
  return read.data;
}

/** The environment wins; what is set to nothing there is not set. */
export const under = (env: NodeJS.ProcessEnv, file: Settings): NodeJS.ProcessEnv => ({
  ...file,
  ...Object.fromEntries(Object.entries(env).filter(([, value]) => value)),
});

/**
 * Sets what is given and leaves every other line as it is, comments too; undefined takes a line away. Only its owner
 * may read the file, for the operator's key is in it. False when nothing was to be changed.
 */
export async function changeConfigFile(
  path: string,
  changes: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const left = new Map(Object.entries(changes));
  const lines = (before ?? '').split('\n').flatMap(line => {
    const key = /^\s*([A-Z_]+)\s*=/.exec(line)?.[1];
    if (key === undefined || !left.has(key)) return [line];
    const value = left.get(key);
    left.delete(key);
    return value === undefined ? [] : [`${key}=${written(key, value)}`];
  });
  if (lines.at(-1) === '') lines.pop();
  for (const [key, value] of left) if (value !== undefined) lines.push(`${key}=${written(key, value)}`);
  const text = `${lines.join('\n')}\n`;
  if (text === before) {
    await chmod(path, 0o600);
    return false;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(path, new TextEncoder().encode(text));
  return true;
}

/** Whether anybody but the owner may read or change the file. */
export const isOpenToOthers = async (path: string): Promise<boolean> =>
  ((await stat(path)).mode & 0o077) !== 0;

function written(key: string, value: string): string {
  if (/["\n\r\\]/.test(value)) throw new Error(`${key}: must not have quotes, backslashes or line breaks`);
  return /^[\w.,:/+@%-]*$/.test(value) ? value : `"${value}"`;
}
