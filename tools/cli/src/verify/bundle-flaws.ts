import { isDeepStrictEqual } from 'node:util';
import { eventsIn, type Bundle } from '@astro/archive/evidence/bundle';
import { canonicalHash } from '@astro/chain/statements/canonical-hash';
import { isFaultKind } from '@astro/verification/evidence/faults';
import { stateFault, type Statement } from '@astro/verification/evidence/statement';

/** What was found in a bundle. */
export type Checked = {
  /** As an accusation has it on chain. */
  readonly hash: string;
  /** What the events say, where they say anything. */
  readonly statement: Statement | undefined;
  readonly flaws: readonly string[];
};

/**
 * States the fault once more from the events and the rules, and compares.
 * @param trustedHash of the bundle, as the chain has it; without it only the bundle's own word is known
 */
export function checkBundle(bundle: Bundle, trustedHash?: string): Checked {
  const hash = canonicalHash(bundle);
  const ofHash =
    trustedHash === undefined || trustedHash.toLowerCase() === hash
      ? []
      : [`hash: is ${hash}, and ${trustedHash} is trusted`];
  const refused = (flaws: readonly string[]): Checked => ({
    ...{ hash, statement: undefined, flaws: [...ofHash, ...flaws] },
  });
  const { kind, accused } = bundle.statement;
  if (!isFaultKind(kind)) return refused([`statement.kind: ${kind} is no kind of fault`]);
  const cited = eventsIn(bundle);
  if (!cited.events) return refused(cited.flaws);
  const { statement, flaws } = stateFault({ kind, leaseId: accused.leaseId }, cited.events);
  if (!statement) return refused(flaws);
  const said: unknown = JSON.parse(JSON.stringify(statement));
  return {
    hash,
    statement,
    flaws: [...ofHash, ...flaws, ...differences('statement', bundle.statement, said)],
  };
}

/** Every place where a value is not what follows from the events, as deep as it can be told. */
function differences(path: string, told: unknown, said: unknown): readonly string[] {
  if (isDeepStrictEqual(told, said)) return [];
  if (!isBranch(told) || !isBranch(said) || Array.isArray(told) !== Array.isArray(said))
    return [`${path}: is ${textOf(told)}, the events say ${textOf(said)}`];
  const keys = new Set([...Object.keys(told), ...Object.keys(said)]);
  const at = (key: string) => (Array.isArray(told) ? `${path}[${key}]` : `${path}.${key}`);
  return [...keys].flatMap(key => differences(at(key), told[key], said[key]));
}

const isBranch = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const textOf = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
