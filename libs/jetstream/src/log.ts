export type LogFields = Readonly<Record<string, unknown>>;

/** What this library needs of a logger. `libs/runtime` adapts its own to it. */
export type Log = {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
};

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** One line that says what went wrong, with the causes behind it. */
export function reasonOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && !(error instanceof Error)) return JSON.stringify(error);
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}
