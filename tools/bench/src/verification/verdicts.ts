import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@astro/jetstream/bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { recordResultsOf, type Recorded } from './recorded-results.js';

const READS = ['verification.task'] as const;
const TIME_LIMIT_MS = 300_000;

/**
 * Verdicts a second, from the first result that the pool has recorded until the last verdict is on the disk.
 * @param eventsOfTask that verification records of each
 */
export async function verdictsPerSecond(bus: Bus, recorded: Recorded, eventsOfTask: number): Promise<number> {
  const before = await lastPositionOf(bus, READS);
  const last = before + recorded.tasks * eventsOfTask;
  const startedMs = performance.now();
  await recordResultsOf(bus, recorded);
  while ((await lastPositionOf(bus, READS)) < last) {
    if (performance.now() - startedMs > TIME_LIMIT_MS) throw new Error('the verdicts were not given in time');
    await sleep(5);
  }
  return (recorded.tasks * 1_000) / (performance.now() - startedMs);
}
