/** Long enough for any company, short enough for a column of a table. */
const MAX_NAME_LENGTH = 80;
/** Control characters, lone surrogates, private use and line breaks: what a terminal or a log must not be fed. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/u;

/** Which rule the name that people gave something breaks; undefined when it breaks none. */
export function nameProblem(field: string, name: string): string | undefined {
  if (name.trim() !== name) return `${field}: must not begin or end with a space`;
  const length = [...name].length;
  if (length < 1 || length > MAX_NAME_LENGTH) return `${field}: must have 1 to ${MAX_NAME_LENGTH} characters`;
  return unprintable.test(name) ? `${field}: must have printable characters only` : undefined;
}
