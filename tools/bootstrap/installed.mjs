import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './places.mjs';

const readJson = path => JSON.parse(readFileSync(join(root, path), 'utf8'));

/**
 * Whether node_modules already holds what package-lock.json asks for, by npm's own record of what it installed:
 * somebody who ran `npm install` by hand need not wait for it again.
 */
export function isInstalledByHand(workspaceManifests) {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const wanted = readJson('package-lock.json').packages;
  const present = readJson('node_modules/.package-lock.json').packages;
  const { dependencies, devDependencies, workspaces } = readJson('package.json');
  const sameRoot = [
    [dependencies, wanted[''].dependencies],
    [devDependencies, wanted[''].devDependencies],
    [workspaces, wanted[''].workspaces],
  ].every(([ours, locked]) => JSON.stringify(ours) === JSON.stringify(locked));
  const hasPackages = Object.entries(wanted).every(
    ([path, { version, optional, devOptional }]) =>
      !path.startsWith('node_modules/') ||
      optional ||
      devOptional ||
      (present[path] && present[path].version === version),
  );
  // A workspace that is newer than the lock file stands in neither.
  const hasWorkspaces = workspaceManifests.every(path =>
    existsSync(join(root, 'node_modules', readJson(path).name)),
  );
  return sameRoot && hasPackages && hasWorkspaces;
}
