const decimals = 18;
const shape = /^(\d{1,11})(?:\.(\d{1,18}))?$/;

/** Base units of an amount such as `12.5`; undefined when the text is not a positive amount of ASTRO. */
export function attoFromAstro(text: string): bigint | undefined {
  const [, whole, fraction = ''] = shape.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const atto = BigInt(whole + fraction.padEnd(decimals, '0'));
  return atto > 0n ? atto : undefined;
}
