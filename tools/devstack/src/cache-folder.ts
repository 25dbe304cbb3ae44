import { homedir } from 'node:os';
import { join } from 'node:path';

/** What was fetched once for every checkout of this user. */
export const cacheFolder = (): string => process.env.ASTRO_CACHE ?? join(homedir(), '.cache', 'astro');
