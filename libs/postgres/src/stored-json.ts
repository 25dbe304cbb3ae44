/** `T` as it stands in a `jsonb` column: base units are decimal strings, because JSON knows no `bigint`. */
export type StoredJson<T> = T extends bigint
  ? string
  : T extends Date
    ? string
    : T extends readonly (infer Item)[]
      ? StoredJson<Item>[]
      : T extends object
        ? { -readonly [Key in keyof T]: StoredJson<T[Key]> }
        : T;

/** A plain payload made ready for a `jsonb` column. Copied by hand, because the way by a text takes far longer. */
export const storedJson = <T>(payload: T): StoredJson<T> => stored(payload) as StoredJson<T>;

function stored(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(stored);
  if (value instanceof Date) return value.toISOString();
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = stored(item);
  return copy;
}
