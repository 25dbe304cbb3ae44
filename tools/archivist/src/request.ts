import { contexts } from '@astro/jetstream/subjects';

export const usage = `Usage:
  npm run archive -- verify [--context CONTEXT] [--lag-seconds N]
      recomputes the hash chains and compares archive and streams event by event; events that are older than
      N seconds (60) must be archived
  npm run archive -- restore --context CONTEXT
      rebuilds a stream that is absent or empty from its archive; stop the services first
  npm run astro -- invoice --tenant ID --month YYYY-MM
      writes the tenant's invoice of the month as JSON, every line with the event that it follows from and its proof
  npm run astro -- invoice verify FILE [--root HASH]
      recomputes an invoice from the events that it cites; the root of their Merkle tree is taken from HASH, or from
      the archive

CONTEXT is one of ${contexts.join(', ')}.`;

export type Context = (typeof contexts)[number];

export type Request =
  | { readonly kind: 'verify'; readonly contexts: readonly Context[]; readonly allowedLagMs: number }
  | { readonly kind: 'restore'; readonly context: Context }
  | InvoiceRequest;
export type InvoiceRequest =
  | { readonly kind: 'invoice'; readonly tenantId: string; readonly month: string }
  | { readonly kind: 'verify-invoice'; readonly file: string; readonly root?: string };

/** The command line was not understood: what was wrong, and what would be right. */
export class UsageError extends Error {
  constructor(problem: string) {
    super(`${problem}\n\n${usage}`);
  }
}

const DEFAULT_LAG_SECONDS = 60;

const optionsOf = {
  verify: ['--context', '--lag-seconds'],
  restore: ['--context'],
  invoice: ['--tenant', '--month'],
  'verify-invoice': ['--file', '--root'],
} as const satisfies Record<Request['kind'], readonly string[]>;

/** @throws UsageError */
export function readRequest(args: readonly string[]): Request {
  const [kind = '', ...rest] = asCommand(args);
  if (!Object.hasOwn(optionsOf, kind))
    throw new UsageError(kind === '' ? 'A command is missing.' : `There is no command ${kind}.`);
  const options = optionsIn(rest, kind as Request['kind']);
  const needed = (name: string, form: RegExp): string => {
    const value = options.get(name);
    if (value === undefined) throw new UsageError(`${kind} needs ${name}.`);
    if (!form.test(value)) throw new UsageError(`"${value}" cannot be ${name}.`);
    return value;
  };
  switch (kind as Request['kind']) {
    case 'verify': {
      const context = contextIn(options.get('--context'));
      const allowedLagMs = lagIn(options.get('--lag-seconds')) * 1_000;
      return { kind: 'verify', contexts: context === undefined ? contexts : [context], allowedLagMs };
    }
    case 'restore': {
      const context = contextIn(options.get('--context'));
      if (context === undefined) throw new UsageError('Which stream? Name its context: --context.');
      return { kind: 'restore', context };
    }
    case 'invoice':
      return {
        kind: 'invoice',
        tenantId: needed('--tenant', /^[A-Za-z0-9_-]{1,90}$/),
        month: needed('--month', /^\d{4}-(0[1-9]|1[0-2])$/),
      };
    case 'verify-invoice': {
      const root = options.has('--root') ? { root: needed('--root', /^[0-9a-f]{64}$/) } : {};
      return { kind: 'verify-invoice', file: needed('--file', /./), ...root };
    }
  }
}

/** `invoice verify FILE` is `verify-invoice --file FILE`. */
function asCommand(args: readonly string[]): readonly string[] {
  const [topic, action, ...rest] = args;
  return topic === 'invoice' && action === 'verify' ? ['verify-invoice', '--file', ...rest] : args;
}

function optionsIn(args: readonly string[], kind: Request['kind']): ReadonlyMap<string, string> {
  const known: readonly string[] = optionsOf[kind];
  const options = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    const [name = '', value] = args.slice(index, index + 2);
    if (!known.includes(name)) throw new UsageError(`What does ${name} mean to ${kind}?`);
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
