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

/** A plain payload made ready for a `jsonb` column. */
export const storedJson = <T>(payload: T): StoredJson<T> =>
  JSON.parse(
    JSON.stringify(payload, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  ) as StoredJson<T>;
