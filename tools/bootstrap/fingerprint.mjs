import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './places.mjs';

const outputs = new Set(['node_modules', 'dist', 'build', 'gen', '.cache', '.astro']);

/** Paths relative to the root of every source file under `folders` whose name matches. */
export function sourcesUnder(folders, matches) {
  const found = [];
  const visit = folder => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!outputs.has(entry.name)) visit(path);
      } else if (matches.test(entry.name)) found.push(path);
    }
  };
  for (const folder of folders) if (statSync(join(root, folder), { throwIfNoEntry: false })) visit(folder);
  return found.sort();
}

/** Changes when any of the files changes in size or time: cheap enough to ask before every command. */
export function fingerprintOfFiles(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Changes only when a file's content does: for files that tools rewrite unchanged. */
export function fingerprintOfContents(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}
