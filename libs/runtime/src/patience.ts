import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@astro/jetstream/log';
import { reasonOf } from '@astro/jetstream/log';

/** Servers that start together with the service are up well within this. */
const waitLimitMs = 30_000;
const retryIntervalMs = 500;

/** Connects, trying again while the server is not up yet. Says what it waits for, and why. */
export async function connectPatiently<T>(what: string, connect: () => Promise<T>, log: Log): Promise<T> {
  const deadline = performance.now() + waitLimitMs;
  let lastReason = '';
  for (;;) {
    try {
      return await connect();
    } catch (cause) {
      const reason = reasonOf(cause);
      if (performance.now() + retryIntervalMs > deadline) {
        throw new Error(`${what} could not be reached in ${waitLimitMs / 1000} s`, { cause });
      }
      if (reason !== lastReason) log.info(`waiting for ${what}`, { reason });
      lastReason = reason;
    }
    await sleep(retryIntervalMs);
  }
}
