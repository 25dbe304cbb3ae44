import { setTimeout as sleep } from 'node:timers/promises';

const attemptsMax = 5;
const pauseMs = 5_000;

/** A look at a platform that shares a busy machine: a request that ran out of time is made again, a few times. */
export async function patiently<T>(look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await look();
    } catch (error) {
      if (attempt === attemptsMax) throw error;
      await sleep(pauseMs);
    }
  }
}
