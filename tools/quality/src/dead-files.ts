import { posix } from 'node:path';
import ts from 'typescript';
import { isCode, isSpec, type Finding, type SourceFile } from './repository-files.js';

/** Processes start here. Compiled examples are entered by their own build, and rivals name their own files. */
const entry = /(?:^|\/)src\/main\.ts$|\.d\.ts$|^examples\/|^tools\/bench\/rivals\//;
const judged = /^(?:libs|services|tools)\/.*\.ts$/;

/**
 * Files that nothing uses: no other file imports them or names them as a worker or a process to start,
 * and they are no entry. A file that only its own spec uses is dead as well.
 */
export function deadFiles(files: readonly SourceFile[]): readonly Finding[] {
  const paths = new Set(files.map(file => file.path));
  const used = new Set<string>();
  for (const file of files.filter(({ path }) => !path.endsWith('.md'))) {
    for (const target of targetsOf(file, paths)) {
      if (target !== file.path && !isOwnSpec(file.path, target)) used.add(target);
    }
  }
  return files
    .filter(({ path }) => judged.test(path) && !isSpec(path) && !entry.test(path) && !used.has(path))
    .map(({ path }) => ({ path, line: 1, message: 'a dead file: nothing imports or starts it' }));
}

const isOwnSpec = (from: string, target: string) => from === target.replace(/\.ts$/, '.spec.ts');

function targetsOf({ path, text }: SourceFile, paths: ReadonlySet<string>): readonly string[] {
  const specifiers = isCode(path)
    ? [
        ...ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName),
        ...[...text.matchAll(/(["'`])([^"'`\s]+\.js)\1/g)].map(match => match[2] ?? ''),
      ]
    : [...text.matchAll(/[\w@./-]+\.js\b/g)].map(([named]) => named); // commands of images and of npm scripts
  return specifiers.flatMap(specifier =>
    candidatesOf(path, specifier).flatMap(candidate =>
      candidate.includes('${') ? filesLike(candidate, paths) : paths.has(candidate) ? [candidate] : [],
    ),
  );
}

/** The files that a template string may name. */
function filesLike(template: string, paths: ReadonlySet<string>): readonly string[] {
  const parts = template.split(/\$\{[^}]*\}/).map(part => part.replace(/[.+*?^$()[\]{}|\\]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('[^/]+')}$`);
  return [...paths].filter(path => pattern.test(path));
}

/** What a specifier or a path may mean: the source of a workspace's export, of a relative import, of built output. */
function candidatesOf(from: string, specifier: string): readonly string[] {
  const source = (path: string) => path.replace(/(^|\/)dist\//, '$1src/').replace(/\.js$/, '.ts');
  const [, workspace, file] = /^@astro\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (workspace && file)
    return ['libs', 'services', 'tools', 'examples'].map(kind => `${kind}/${workspace}/src/${file}.ts`);
  const relative = posix.join(posix.dirname(from), source(specifier));
  return [relative, posix.normalize(source(specifier)), relative.replace(/\.ts$/, '.mjs')];
}
