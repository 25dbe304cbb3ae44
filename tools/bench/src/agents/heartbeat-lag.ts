import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@astro/jetstream/bus';

const STREAM = 'TELEMETRY';
const HEARTBEATS = 'telemetry.*.Heartbeat';
const SAMPLE_MS = 250;

/** How old the oldest heartbeat is that the registry has not dealt with, now and again until `signal`. */
export async function heartbeatLagsMs(bus: Bus, signal: AbortSignal): Promise<readonly number[]> {
  const consumer = await consumerOfHeartbeats(bus);
  const lags: number[] = [];
  while (!signal.aborted) {
    lags.push(await lagMs(bus, consumer));
    await sleep(SAMPLE_MS);
  }
  return lags;
}

async function consumerOfHeartbeats(bus: Bus): Promise<string> {
  for await (const { name, config } of bus.jsm.consumers.list(STREAM)) {
    const filters = [config.filter_subject, ...(config.filter_subjects ?? [])];
    if (filters.includes(HEARTBEATS)) return name;
  }
  throw new Error(`nobody consumes ${HEARTBEATS}`);
}

async function lagMs(bus: Bus, consumer: string): Promise<number> {
  const { ack_floor, num_pending, num_ack_pending } = await bus.jsm.consumers.info(STREAM, consumer);
  if (num_pending + num_ack_pending === 0) return 0;
  const oldest = await bus.jsm.streams.getMessage(STREAM, { seq: ack_floor.stream_seq + 1 });
  return oldest ? Math.max(0, Date.now() - oldest.time.getTime()) : 0;
}

/** What one heartbeat takes in the stream. */
export async function heartbeatBytes(bus: Bus): Promise<number> {
  const { state } = await bus.jsm.streams.info(STREAM);
  return state.messages === 0 ? 0 : state.bytes / state.messages;
}
