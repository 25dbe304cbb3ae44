import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Only the account that runs the agent may read what is below its state folder. */
const OWNER_ONLY = 0o600;

/** The value in a file, or undefined when there is no such file. @throws Error when it holds no JSON */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} holds no JSON`, { cause });
  }
}

/** Replaces a file as a whole: after a crash it holds either what it held or the new value, on disk. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await replaceFile(path, Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`));
}

/** Like `writeJson` for any bytes. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
