/**
 * Put in front of a process: its clock of days is off by `byMs`, its timers run as ever, which is what `faketime`
 * does to a process. Everything of ours reads the day through Date.
 */
const source = (byMs: number) => `
const now = () => Real.now() + ${byMs};
const Real = Date;
globalThis.Date = new Proxy(Real, {
  apply: () => new Real(now()).toString(),
  construct: (target, given, newTarget) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
});`;

/** For a Node process that is about to be started. */
export const skewedClock = (byMs: number): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(source(byMs))}`,
});
