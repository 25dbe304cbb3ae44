/** Where a process can be made to die, so that a fault test hits the moments that chance seldom does. */
export const crashPoints = ['before-publish', 'after-puback', 'after-commit', 'before-ack'] as const;
export type CrashPoint = (typeof crashPoints)[number];
/** The same in an agent, in the life of a lease. */
export const agentCrashPoints = ['before-start', 'after-run', 'after-upload', 'before-end-report'] as const;
export type AgentCrashPoint = (typeof agentCrashPoints)[number];

/** `ASTRO_CRASH_AT=after-puback:7` ends this process the seventh time that it gets there. Unset, nothing happens. */
const armed = parse(process.env['ASTRO_CRASH_AT']);

/** Dies here, without a chance to tidy up, when it is this point's turn. */
export function crashPoint(point: CrashPoint | AgentCrashPoint): void {
  if (armed?.point !== point) return;
  armed.remaining -= 1;
  if (armed.remaining === 0) process.kill(process.pid, 'SIGKILL');
}

type Armed = { readonly point: CrashPoint | AgentCrashPoint; remaining: number };

function parse(text: string | undefined): Armed | undefined {
  if (!text) return undefined;
  const [name, count = '1'] = text.split(':');
  const points = [...crashPoints, ...agentCrashPoints];
  const point = points.find(candidate => candidate === name);
  if (!point || !/^[1-9]\d{0,5}$/.test(count))
    throw new Error(`ASTRO_CRASH_AT=${text}: must be one of ${points.join(', ')}, and :count`);
  return { point, remaining: Number(count) };
}
