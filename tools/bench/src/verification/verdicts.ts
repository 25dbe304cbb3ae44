import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@astro/jetstream/bus';
import { recordResultsOf, type Recorded } from './recorded-results.js';

/** All that is recorded here is of tasks. */
export const VERDICTS = 'EVT_VERIFICATION';
const TIME_LIMIT_MS = 300_000;
const LOOK_MS = 5;

/**
 * Verdicts a second, from the first result that the pool has recorded until the last verdict is on the disk.
 * @param eventsOfTask that verification records of each
 */
export async function verdictsPerSecond(bus: Bus, recorded: Recorded, eventsOfTask: number): Promise<number> {
  const last = (await lastPositionIn(bus, VERDICTS)) + recorded.tasks * eventsOfTask;
  const startedMs = performance.now();
  await recordResultsOf(bus, recorded);
  while ((await lastPositionIn(bus, VERDICTS)) < last) {
    if (performance.now() - startedMs > TIME_LIMIT_MS) throw new Error('the verdicts were not given in time');
    await sleep(LOOK_MS);
  }
  return (recorded.tasks * 1_000) / (performance.now() - startedMs);
}

/** By the stream's own count: to search for the last event of many subjects costs the server more than a verdict. */
export const lastPositionIn = async (bus: Bus, stream: string): Promise<number> =>
  (await bus.jsm.streams.info(stream)).state.last_seq;
