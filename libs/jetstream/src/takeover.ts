import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type ConsumerInfo,
  type ConsumerUpdateConfig,
} from '@nats-io/jetstream';
import type { Bus } from './bus.js';
import { FENCED_PULL } from './consume-loop.js';
import { delay } from './delay.js';
import type { Fence } from './fence.js';

const CONSUMER_NOT_FOUND = 10014;
const POLL_MS = 50;
/** A former holder's last pull is over by then, whatever became of the process. */
const PULLS_OVER_MS = 2 * FENCED_PULL.expires;
/** Deaths at one place after which the next holder goes step by step, so that it is seen which message kills. */
const DEATHS_BEFORE_CAUTION = 3;

/** The consumer in the hands of a new holder. */
export type Takeover = {
  readonly info: ConsumerInfo;
  /** Only pulls that name it are let in. */
  readonly group: string;
  /**
   * Messages up to this position are to be handled one at a time: processes have died of one of them. 0 when there
   * is no such suspicion.
   */
  readonly cautiousUntil: number;
  /** How many processes have died with the first message in their hands. */
  readonly deaths: number;
};

/**
 * Makes a durable consumer serve one holder only. Its priority group is named after the epoch, and the server refuses
 * pulls that name another: a former holder can get nothing any more, whatever it believes. Pulls that it had let in
 * before are waited for. What was delivered and not acknowledged is then delivered again first, in the stream's order,
 * with what came after it.
 */
export async function takeOver(
  bus: Bus,
  stream: string,
  durable: string,
  config: Partial<ConsumerUpdateConfig>,
  fence: Fence,
): Promise<Takeover> {
  if (!fence.isHeld) throw new Error(`${durable} has passed to another process`);
  const group = `epoch-${fence.epoch}`;
  const before = await infoOf(bus, stream, durable);
  if (before && epochOf(before) > fence.epoch) throw new Error(`${durable} is in other hands by now`);
  const deaths = before ? deathsSoFar(before, fence) : 0;
  const wanted = {
    ...config,
    priority_policy: 'prioritized' as const,
    priority_groups: [group],
    metadata: {
      'astro-epoch': String(fence.epoch),
      'astro-deaths': String(deaths),
      'astro-floor': String(before?.ack_floor.stream_seq ?? 0),
    },
  };
  if (before) await bus.jsm.consumers.update(stream, durable, wanted);
  else {
    const fixed = {
      durable_name: durable,
      deliver_policy: DeliverPolicy.All,
      ack_policy: AckPolicy.Explicit,
    };
    await bus.jsm.consumers.add(stream, { ...wanted, ...fixed });
  }
  const info = await pullsOver(bus, stream, durable, fence);
  if (info.num_ack_pending > 0) await bus.jsm.consumers.reset(stream, durable);
  const cautiousUntil = deaths < DEATHS_BEFORE_CAUTION ? 0 : info.delivered.stream_seq;
  return { info, group, cautiousUntil, deaths };
}

async function infoOf(bus: Bus, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  try {
    return await bus.jsm.consumers.info(stream, durable);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND) return undefined;
    throw error;
  }
}

const epochOf = ({ config }: ConsumerInfo): number => Number(config.metadata?.['astro-epoch'] ?? 0);

/** Deaths in a row that left the same message first; opening again under the same epoch is none. */
function deathsSoFar(before: ConsumerInfo, fence: Fence): number {
  const { config, ack_floor, num_ack_pending } = before;
  const { metadata = {} } = config;
  const deaths = Number(metadata['astro-deaths'] ?? 0);
  if (epochOf(before) === fence.epoch) return deaths;
  if (!fence.afterDeath || num_ack_pending === 0) return 0;
  return metadata['astro-floor'] === String(ack_floor.stream_seq) ? deaths + 1 : 1;
}

async function pullsOver(bus: Bus, stream: string, durable: string, fence: Fence): Promise<ConsumerInfo> {
  const deadline = performance.now() + PULLS_OVER_MS;
  while (fence.isHeld) {
    const info = await bus.jsm.consumers.info(stream, durable);
    if (info.num_waiting === 0) return info;
    if (performance.now() > deadline) throw new Error(`others still pull from ${durable}`);
    await delay(POLL_MS);
  }
  throw new Error(`${durable} was lost while it was taken over`);
}
