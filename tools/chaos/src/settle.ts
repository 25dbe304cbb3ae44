import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@astro/jetstream/bus';
import { commandStreamOf, contexts, eventStreamOf } from '@astro/jetstream/subjects';
import type { History } from './history.js';
import { notEndedOnce, stillReserved } from './invariants.js';
import { patiently } from './patience.js';

/** Within this time of healing, everything that was begun has ended: Vortex's bound on liveness. */
export const livenessLimitMs = 180_000;
const pollMs = 400;

/** Waits until every job has ended, no money is reserved and no lane has work. False when that takes too long. */
export async function settled(bus: Bus, history: History): Promise<boolean> {
  const deadline = Date.now() + livenessLimitMs;
  while (Date.now() < deadline) {
    if (await patiently(() => isSettled(bus, history))) return true;
    await sleep(pollMs);
  }
  return false;
}

async function isSettled(bus: Bus, history: History): Promise<boolean> {
  if ((await busyLanes(bus)).length > 0) return false;
  await history.catchUp();
  const isOpen = notEndedOnce(history.all).some(({ invariant }) => invariant === 'I6');
  return !isOpen && stillReserved(history.all).length === 0;
}

/** Durable consumers that have messages to deliver or to hear about. */
export async function busyLanes(bus: Bus): Promise<readonly string[]> {
  const busy: string[] = [];
  const streams = [
    ...contexts.flatMap(context => [eventStreamOf(context), commandStreamOf(context)]),
    'AGENT_REPORTS',
  ];
  for (const stream of streams) {
    for await (const { config, num_pending, num_ack_pending } of bus.jsm.consumers.list(stream)) {
      if (config.durable_name && num_pending + num_ack_pending > 0)
        busy.push(`${config.durable_name} (${num_pending} to deliver, ${num_ack_pending} to acknowledge)`);
    }
  }
  return busy;
}
