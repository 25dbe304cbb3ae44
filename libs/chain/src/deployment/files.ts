import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deploymentFile, type Deployment } from './addresses.js';
import type { Progress } from './deploy.js';

const progressFile = (addressesFile: string): string => `${addressesFile}.progress`;

/** What an earlier run towards the same file has kept; undefined when there was none. */
export function readProgress(addressesFile: string): Progress | undefined {
  const path = progressFile(addressesFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Progress) : undefined;
}

export const keepProgress = (addressesFile: string, progress: Progress): void =>
  write(progressFile(addressesFile), progress);

export const writeAddresses = (file: string, deployment: Deployment): void => write(file, deployment);

/** @throws Error when the file is not there, or not one of addresses */
export const readAddresses = (file: string): Deployment =>
  deploymentFile.parse(JSON.parse(readFileSync(file, 'utf8')));

/** Whole or not at all. */
function write(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}
