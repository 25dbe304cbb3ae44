import { readModels, type ReadModel } from './read-models.js';

export const usage = `Usage:
  npm run projection -- list           name, version, position and lag of every projection
  npm run projection -- rebuild NAME   fills its tables anew beside those that serve, then switches
  npm run projection -- verify NAME    fills them anew for comparison only; exit code 1 when a row differs`;

export type Request =
  { readonly kind: 'list' } | { readonly kind: 'rebuild' | 'verify'; readonly readModel: ReadModel };

/** The command line was not understood: what was wrong, and what would be right. */
export class UsageError extends Error {
  constructor(problem: string) {
    super(`${problem}\n\n${usage}`);
  }
}

/** @throws UsageError */
export function readRequest(args: readonly string[]): Request {
  const [kind, ...rest] = args;
  switch (kind) {
    case 'list':
      assertNothingMore(rest);
      return { kind };
    case 'rebuild':
    case 'verify': {
      const [name, ...more] = rest;
      assertNothingMore(more);
      return { kind, readModel: named(name) };
    }
    default:
      throw new UsageError(kind === undefined ? 'A command is missing.' : `There is no command ${kind}.`);
  }
}

function named(name: string | undefined): ReadModel {
  const found = readModels.find(({ projection }) => projection.name === name);
  if (found) return found;
  const names = readModels.map(({ projection }) => projection.name).join(', ');
  throw new UsageError(
    `${name === undefined ? 'The name is missing' : `There is no projection ${name}`}; there are ${names}.`,
  );
}

function assertNothingMore(args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`What does ${args.join(' ')} mean?`);
}
