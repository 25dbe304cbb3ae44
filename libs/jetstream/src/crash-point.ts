/** Where a process can be made to die, so that a fault test hits the moments that chance seldom does. */
export const crashPoints = ['before-publish', 'after-puback', 'after-commit', 'before-ack'] as const;
export type CrashPoint = (typeof crashPoints)[number];

/** `ASTRO_CRASH_AT=after-puback:7` ends this process the seventh time that it gets there. Unset, nothing happens. */
const armed = parse(process.env['ASTRO_CRASH_AT']);

/** Dies here, without a chance to tidy up, when it is this point's turn. */
export function crashPoint(point: CrashPoint): void {
  if (armed?.point !== point) return;
  armed.remaining -= 1;
  if (armed.remaining === 0) process.kill(process.pid, 'SIGKILL');
}

function parse(text: string | undefined): { readonly point: CrashPoint; remaining: number } | undefined {
  if (!text) return undefined;
  const [name, count = '1'] = text.split(':');
  const point = crashPoints.find(candidate => candidate === name);
  if (!point || !/^[1-9]\d{0,5}$/.test(count))
    throw new Error(`ASTRO_CRASH_AT=${text}: must be one of ${crashPoints.join(', ')}, and :count`);
  return { point, remaining: Number(count) };
}
