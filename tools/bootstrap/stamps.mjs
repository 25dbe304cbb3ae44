import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './places.mjs';

/** Remembers for which fingerprint of its inputs each step was last done. */
const pathOf = step => join(cacheFolder, `${step}.stamp`);

export const stampOf = step => (existsSync(pathOf(step)) ? readFileSync(pathOf(step), 'utf8') : undefined);

export function writeStamp(step, fingerprint) {
  mkdirSync(cacheFolder, { recursive: true });
  const draft = `${pathOf(step)}.${process.pid}`;
  writeFileSync(draft, fingerprint);
  renameSync(draft, pathOf(step));
}
