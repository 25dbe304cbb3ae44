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

/** A plain payload made ready for a `jsonb` column: shares with it what JSON holds as it is, for nobody changes it. */
export const storedJson = <T>(payload: T): StoredJson<T> => stored(payload) as StoredJson<T>;

function stored(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? storedList(value) : storedObject(value as Readonly<Record<string, unknown>>);
}

function storedList(items: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const kept = stored(items[index]);
    if (kept !== items[index]) (copy ??= [...items])[index] = kept;
  }
  return copy ?? items;
}

function storedObject(fields: Readonly<Record<string, unknown>>): object {
  let copy: Record<string, unknown> | undefined;
  for (const key in fields) {
    const value = fields[key];
    const kept = stored(value);
    if (kept !== value) (copy ??= { ...fields })[key] = kept;
  }
  return copy ?? fields;
}
