/**
 * What was done, by its key, in bounded memory. What is forgotten is not done again all the same: everything has a
 * place in an order (the position of the event it follows from, or the time at which it was asked for), which is the
 * same whenever it is repeated; and what is unknown and not after everything forgotten is refused.
 */
export type Remembered<Value> = {
  readonly entries: Map<string, { readonly order: number; readonly weight: number; readonly value: Value }>;
  /** The highest order of anything forgotten; -1 when nothing is. */
  forgottenUpTo: number;
  /** Of all entries together. */
  weight: number;
};

export const nothingRemembered = <Value>(): Remembered<Value> => ({
  entries: new Map(),
  forgottenUpTo: -1,
  weight: 0,
});

/** Whether what is asked for may have been done before and forgotten. What has no order comes before everything. */
export const mayBeForgotten = (
  { entries, forgottenUpTo }: Remembered<unknown>,
  key: string,
  order: number | undefined,
): boolean => !entries.has(key) && (order ?? 0) <= forgottenUpTo;

/** Changes `memory` in place. The last entry stays, whatever its weight. */
export function remember<Value>(
  memory: Remembered<Value>,
  key: string,
  entry: { readonly order: number | undefined; readonly weight: number; readonly value: Value },
  maxWeight: number,
): void {
  const { entries } = memory;
  const { weight, value } = entry;
  memory.weight += weight - (entries.get(key)?.weight ?? 0);
  entries.delete(key);
  entries.set(key, { order: entry.order ?? 0, weight, value });
  for (const [oldest, { order, weight }] of entries) {
    if (memory.weight <= maxWeight || entries.size === 1) break;
    entries.delete(oldest);
    memory.weight -= weight;
    memory.forgottenUpTo = Math.max(memory.forgottenUpTo, order);
  }
}
