import { isCode, type Finding, type SourceFile } from './repository-files.js';

export const lineLengthMax = 120;
export const fileLinesMax = 500;

/** Prose wraps itself; everything else is read side by side in a review. */
export function longLines({ path, text }: SourceFile): readonly Finding[] {
  if (path.endsWith('.md') || path.endsWith('.json')) return [];
  return linesWhere(text, line => line.length > lineLengthMax).map(line => ({
    path,
    line,
    message: `is over ${lineLengthMax} columns`,
  }));
}

export function longFiles({ path, text }: SourceFile): readonly Finding[] {
  const lines = text.trimEnd().split('\n').length;
  if (!isCode(path) || lines <= fileLinesMax) return [];
  return [
    { path, line: lines, message: `the file is over ${fileLinesMax} lines: split it by what it is about` },
  ];
}

// Assembled, so that this file does not break its own rule.
const leftovers = new RegExp(`\\b(?:${['FIX' + 'ME', 'TO' + 'DO', 'X'.repeat(3)].join('|')})\\b`);

export function leftoverMarks({ path, text }: SourceFile): readonly Finding[] {
  return linesWhere(text, line => leftovers.test(line)).map(line => ({
    path,
    line,
    message: 'a left-over mark: do it now, or open an issue and say so in a sentence',
  }));
}

const vague = /^(?:utils?|helpers?|common|misc|shared|managers?)$/i;

/** A name that says nothing collects everything. */
export function vagueNames({ path }: SourceFile): readonly Finding[] {
  const parts = path.split('/').flatMap(part => part.split('.'));
  if (!parts.some(part => vague.test(part))) return [];
  return [{ path, line: 1, message: 'name the folder or file after what it is about' }];
}

const privatePlaces: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  {
    pattern: /["'`\s=(]\/(?:work|root|home|Users)\//,
    instead: 'resolve the path from import.meta.url or a setting',
  },
  { pattern: /["'`]\/tmp(?:\/|["'`])/, instead: 'use tmpdir() of node:os' },
  {
    pattern: /\bhttps?:\/\/(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/,
    instead: 'take the address from a setting',
  },
  {
    pattern: /\bhttps?:\/\/[^/\s"'`]*(?:artifactory|verdaccio|nexus|jfrog)/i,
    instead: 'let npm choose its registry',
  },
  {
    pattern: /\bhttps?:\/\/[^/\s"'`.]+\.(?:internal|corp|lan|local)\b/i,
    instead: 'take the address from a setting',
  },
];

/** What is true of one machine only has no place in the repository. */
export function privateWorkplaces({ path, text }: SourceFile): readonly Finding[] {
  return text
    .split('\n')
    .flatMap((content, index) =>
      privatePlaces
        .filter(({ pattern }) => pattern.test(content))
        .map(({ instead }) => ({ path, line: index + 1, message: `is a place of one machine: ${instead}` })),
    );
}

function linesWhere(text: string, holds: (line: string) => boolean): readonly number[] {
  return text.split('\n').flatMap((line, index) => (holds(line) ? [index + 1] : []));
}
