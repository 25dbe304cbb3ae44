import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type SourceFile = { readonly path: string; readonly text: string };

/** Where in the repository a rule is broken, and what to do instead. */
export type Finding = { readonly path: string; readonly line: number; readonly message: string };

/** What people write by hand: the lock file is npm's, the released schema is buf's. */
const written = /\.(?:ts|mjs|cjs|js|json|jsonc|proto|ya?ml|md|sh)$|(?:^|\/)(?:Dockerfile|run)$/;
const machineMade = /(?:^|\/)package-lock\.json$/;

export const isCode = (path: string): boolean => /\.(?:ts|mjs|cjs|js)$/.test(path);
export const isSpec = (path: string): boolean => path.endsWith('.spec.ts');

/** Every file that is, or is about to be, under version control: what git ignores is somebody's build output. */
export function repositoryFiles(root: string): readonly SourceFile[] {
  const listing = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 16 << 20,
  });
  return listing
    .split('\0')
    .filter(path => written.test(path) && !machineMade.test(path) && existsSync(join(root, path)))
    .sort()
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}
