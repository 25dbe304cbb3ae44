import { open, readFile } from 'node:fs/promises';
import { CLIError } from '@oclif/core/errors';
import { exitCode } from '../exit-codes.js';

const wrong = (message: string) => new CLIError(message, { exit: exitCode.wrongUsage });

/** An identity as `age-keygen` writes it, which any tool for age reads. A file that is there is never replaced. */
export async function writeKeyFile(path: string, identity: string, recipient: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? wrong(`${path} is there already`) : error;
  });
  try {
    await file.writeFile(`# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The one identity in a key file. */
export async function readKeyFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw wrong(`${path} cannot be read`);
  });
  const { isAgeIdentity } = await import('@astro/content/age');
  const lines = text.split('\n').map(line => line.trim());
  const [identity, ...others] = lines.filter(line => line !== '' && !line.startsWith('#'));
  if (identity === undefined || others.length > 0 || !isAgeIdentity(identity))
    throw wrong(`${path} must hold one age identity, AGE-SECRET-KEY-1…`);
  return identity;
}
