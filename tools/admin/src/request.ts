import { isId } from '@astro/event-sourcing/ids';
import { attoFromAstro } from './amount.js';

export const usage = `Usage:
  npm run admin -- tenant NAME                     registers a tenant, prints its id and API key
  npm run admin -- operator NAME                   registers an operator, prints its id and API key
  npm run admin -- credit TENANT_ID AMOUNT_ASTRO   credits a tenant's account`;

export type Request =
  | { readonly kind: 'tenant' | 'operator'; readonly name: string }
  | { readonly kind: 'credit'; readonly tenantId: string; readonly amountAtto: bigint };

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
    case 'tenant':
    case 'operator':
      return { kind, name: nameIn(kind, rest) };
    case 'credit':
      return creditIn(rest);
    default:
      throw new UsageError(kind === undefined ? 'A command is missing.' : `There is no command ${kind}.`);
  }
}

function nameIn(kind: string, args: readonly string[]): string {
  const [name, ...more] = args;
  if (!name?.trim()) throw new UsageError(`The name of the ${kind} is missing.`);
  if (more.length > 0) throw new UsageError(`A name of several words must be quoted: "${args.join(' ')}".`);
  return name;
}

function creditIn(args: readonly string[]): Request {
  const [tenantId = '', amount = '', ...more] = args;
  if (!isId('tenant', tenantId)) throw new UsageError(`"${tenantId}" is not the id of a tenant (tenant_…).`);
  const amountAtto = attoFromAstro(amount);
  if (amountAtto === undefined) {
    throw new UsageError(
      `"${amount}" is not an amount of ASTRO: a positive number with at most 18 decimals.`,
    );
  }
  if (more.length > 0) throw new UsageError(`What does ${more.join(' ')} mean?`);
  return { kind: 'credit', tenantId, amountAtto };
}
