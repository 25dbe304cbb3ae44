import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** What the bootstrap remembers lives and dies with node_modules: without it everything is done again. */
export const cacheFolder = join(root, 'node_modules/.cache/astro');

/** The Node that the npm package `node` brings, whatever Node started this script. */
export const pinnedNode = join(
  root,
  'node_modules/node/bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
);
