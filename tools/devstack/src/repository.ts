import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The same from src/ and from dist/. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** What `npm start` runs and `npm run admin` talks to, unless ASTRO_HOME names another folder. */
export const homeFolder = (env: NodeJS.ProcessEnv = process.env) =>
  env['ASTRO_HOME'] || join(repositoryRoot, '.astro');
