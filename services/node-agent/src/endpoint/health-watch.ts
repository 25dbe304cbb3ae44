import { request } from 'node:http';
import type { HealthCheck } from '@astro/messages/scheduling';
import { delay } from '@astro/jetstream/delay';
import { reasonOf } from '@astro/jetstream/log';
import type { ProgramPort } from './program-port.js';

/** How the last probes were. */
export type Health = {
  readonly isHealthy: boolean;
  /** The last ones that were all good, or all bad. */
  readonly alike: number;
  readonly wasGood: boolean;
};

export const untried: Health = { isHealthy: false, alike: 0, wasGood: false };

/** Some good probes in a row make a replica healthy, some bad ones unhealthy; in between it stays as it is. */
export function healthAfter(
  { healthyAfter, unhealthyAfter }: Pick<HealthCheck, 'healthyAfter' | 'unhealthyAfter'>,
  health: Health,
  wasGood: boolean,
): Health {
  const alike = wasGood === health.wasGood ? health.alike + 1 : 1;
  const isDecided = alike >= (wasGood ? healthyAfter : unhealthyAfter);
  return { isHealthy: isDecided ? wasGood : health.isHealthy, alike, wasGood };
}

/**
 * Probes until the program is unhealthy, after it has been healthy or because it has not become so in its time.
 * @param onHealthy called once
 * @returns why
 */
export async function untilUnhealthy(
  port: ProgramPort,
  check: HealthCheck,
  onHealthy: () => void,
  signal: AbortSignal,
): Promise<string> {
  const startedMs = performance.now();
  let health = untried;
  for (;;) {
    const flaw = await flawOf(port, check, signal);
    signal.throwIfAborted();
    const wasHealthy = health.isHealthy;
    health = healthAfter(check, health, flaw === undefined);
    if (health.isHealthy && !wasHealthy) onHealthy();
    if (wasHealthy && !health.isHealthy) return `the health check failed: ${flaw}`;
    const isLate = !health.isHealthy && performance.now() - startedMs > check.startWithinMs;
    if (isLate) return `not healthy within ${check.startWithinMs} ms: ${flaw ?? 'too few good probes'}`;
    await delay(check.intervalMs, signal);
  }
}

/** What is wrong with the program's answer; undefined when nothing is. */
async function flawOf(
  port: ProgramPort,
  { path, timeoutMs }: HealthCheck,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const socket = await port.connect(limit);
    const status = await new Promise<number>((resolve, reject) => {
      request({ createConnection: () => socket, path, headers: { host: 'localhost' }, signal: limit })
        .once('response', response => {
          response.once('error', reject).destroy();
          resolve(response.statusCode ?? 0);
        })
        .once('error', reject)
        .end();
    });
    return status >= 200 && status < 300 ? undefined : `status ${status}`;
  } catch (error) {
    return limit.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error);
  }
}
