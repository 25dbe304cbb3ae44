import { contexts } from '@astro/jetstream/subjects';

export const usage = `Usage:
  npm run archive -- verify [--context CONTEXT] [--lag-seconds N]
      recomputes the hash chains and compares archive and streams event by event; events that are older than
      N seconds (60) must be archived
  npm run archive -- restore --context CONTEXT
      rebuilds a stream that is absent or empty from its archive; stop the services first

CONTEXT is one of ${contexts.join(', ')}.`;

export type Context = (typeof contexts)[number];

export type Request =
  | { readonly kind: 'verify'; readonly contexts: readonly Context[]; readonly allowedLagMs: number }
  | { readonly kind: 'restore'; readonly context: Context };

/** The command line was not understood: what was wrong, and what would be right. */
export class UsageError extends Error {
  constructor(problem: string) {
    super(`${problem}\n\n${usage}`);
  }
}

const DEFAULT_LAG_SECONDS = 60;

/** @throws UsageError */
export function readRequest(args: readonly string[]): Request {
  const [kind, ...rest] = args;
  const options = optionsIn(rest);
  const context = contextIn(options.get('--context'));
  switch (kind) {
    case 'verify':
      return {
        kind,
        contexts: context === undefined ? contexts : [context],
        allowedLagMs: lagIn(options.get('--lag-seconds')) * 1_000,
      };
    case 'restore':
      if (context === undefined) throw new UsageError('Which stream? Name its context: --context.');
      if (options.has('--lag-seconds')) throw new UsageError('--lag-seconds belongs to verify.');
      return { kind, context };
    default:
      throw new UsageError(kind === undefined ? 'A command is missing.' : `There is no command ${kind}.`);
  }
}

function optionsIn(args: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    const [name = '', value] = args.slice(index, index + 2);
    if (name !== '--context' && name !== '--lag-seconds') throw new UsageError(`What does ${name} mean?`);
    if (value === undefined) throw new UsageError(`${name} has no value.`);
    if (options.has(name)) throw new UsageError(`${name} is given twice.`);
    options.set(name, value);
  }
  return options;
}

function contextIn(text: string | undefined): Context | undefined {
  const context = contexts.find(name => name === text);
  if (text !== undefined && context === undefined) throw new UsageError(`There is no context ${text}.`);
  return context;
}

function lagIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LAG_SECONDS;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`"${text}" is not a number of seconds.`);
  return Number(text);
}
