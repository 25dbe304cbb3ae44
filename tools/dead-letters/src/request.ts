export const usage = `Usage:
  npm run dead-letters -- list [--all]                       what could not be handled; with --all, settled ones too
  npm run dead-letters -- show ID                            one with its headers and its payload
  npm run dead-letters -- replay ID [--why TEXT] [--by NAME] sends its message on its way again
  npm run dead-letters -- discard ID --why TEXT [--by NAME]  settles it without

ID is the number that list gives. Every replay and discard is kept with who did it, when and why.`;

export type Request =
  | { readonly kind: 'list'; readonly all: boolean }
  | { readonly kind: 'show'; readonly position: number }
  | {
      readonly kind: 'replay' | 'discard';
      readonly position: number;
      readonly actor: string;
      readonly why: string;
    };

/** The command line was not understood: what was wrong, and what would be right. */
export class UsageError extends Error {
  constructor(problem: string) {
    super(`${problem}\n\n${usage}`);
  }
}

const MAX_TEXT_LENGTH = 2_000;

/**
 * @param me who settles letters unless --by says
 * @throws UsageError
 */
export function readRequest([kind, ...rest]: readonly string[], me: string): Request {
  switch (kind) {
    case 'list':
      return { kind, all: allIn(rest) };
    case 'show':
      if (rest.length > 1) throw new UsageError(`What does ${rest.slice(1).join(' ')} mean?`);
      return { kind, position: positionIn(rest[0]) };
    case 'replay':
    case 'discard': {
      const [position, ...words] = rest;
      const options = optionsIn(words);
      const why = options.get('--why') ?? '';
      if (kind === 'discard' && !why) throw new UsageError('Why is it discarded? Say it by --why.');
      return { kind, position: positionIn(position), actor: `operator:${options.get('--by') ?? me}`, why };
    }
    default:
      throw new UsageError(kind === undefined ? 'A command is missing.' : `There is no command ${kind}.`);
  }
}

function allIn(args: readonly string[]): boolean {
  const unknown = args.filter(arg => arg !== '--all');
  if (unknown.length > 0) throw new UsageError(`What does ${unknown.join(' ')} mean?`);
  return args.length > 0;
}

function positionIn(text = ''): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`"${text}" is not the number of a dead letter.`);
  return Number(text);
}

function optionsIn(args: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    const [name = '', value] = args.slice(index, index + 2);
    if (name !== '--why' && name !== '--by') throw new UsageError(`What does ${name} mean?`);
    if (!value?.trim()) throw new UsageError(`${name} has no value.`);
    if (value.length > MAX_TEXT_LENGTH) throw new UsageError(`${name} is longer than ${MAX_TEXT_LENGTH}.`);
    if (options.has(name)) throw new UsageError(`${name} is given twice.`);
    options.set(name, value);
  }
  return options;
}
