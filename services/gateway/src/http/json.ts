/** JSON of a domain payload: money as decimal strings, dates as ISO 8601 in UTC. */
export const toJson = (payload: unknown): string =>
  JSON.stringify(payload, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
