import { deepEqual as alike, deepStrictEqual } from 'node:assert';
import { hash } from 'node:crypto';
import type { SnapshotFormat } from './decider.js';

/**
 * Checks that a state comes back from its snapshot as it was.
 * @throws AssertionError with both sides
 */
export function comesBack<State>({ encode, decode }: SnapshotFormat<State>, state: State): void {
  const restored = decode(encode(state));
  // What Node decodes is of another realm than a spec's own objects: values and shape are compared apart.
  alike(restored, state);
  deepStrictEqual(shapeOf([restored]), shapeOf([state]));
}

/**
 * Stands for what all of these states are made of. A spec that names it beside the version fails when the states change
 * and the version does not.
 */
export const shapeDigestOf = (states: readonly unknown[]): string =>
  hash('sha256', shapeOf(states).join('\n')).slice(0, 16);

/** A line for each record or collection, sorted, such as `open.*: chargedTasks Set, leftAtto bigint`. */
export function shapeOf(states: readonly unknown[]): readonly string[] {
  const parts = new Map<string, Set<string>>();
  for (const state of states) describe(state, '', parts, []);
  return [...parts].map(([path, members]) => `${path || 'state'}: ${[...members].sort().join(', ')}`).sort();
}

/** What holds itself is described once. */
function describe(
  value: unknown,
  path: string,
  parts: Map<string, Set<string>>,
  holders: readonly unknown[],
): void {
  for (const [name, member] of membersOf(value)) {
    const members = parts.get(path) ?? new Set();
    parts.set(path, members.add(`${name} ${typeNameOf(member)}`));
    if (holders.includes(member)) continue;
    describe(member, path === '' ? name : `${path}.${name}`, parts, [...holders, value]);
  }
}

function membersOf(value: unknown): readonly (readonly [string, unknown])[] {
  const type = typeNameOf(value);
  if (type === 'Object') return Object.entries(value as object);
  const isCollection = type === 'Map' || type === 'Set' || type === 'Array';
  return isCollection ? [...(value as Map<unknown, unknown>).values()].map(item => ['*', item]) : [];
}

/** Holds for objects of every realm. */
const typeNameOf = (value: unknown): string =>
  typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
