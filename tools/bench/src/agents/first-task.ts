import { Client } from '@astro/demo/client';
import type { Platform } from '@astro/devstack/platform';
import type { Bus } from '@astro/jetstream/bus';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { decode } from '@astro/messages/codec';
import type { LeaseCompleted, LeaseStarted } from '@astro/messages/scheduling';
import { median } from '../measure.js';

const REGION = 'de-bench';
const TASKS = 50;
const NANOS_PER_MS = 1_000_000;

/** `(module (memory (export "memory") 1) (func (export "_start")))`: a program that does nothing. */
const emptyProgram = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x05, 0x03, 0x01, 0x00, 0x01],
  ...[0x07, 0x13, 0x02, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00],
  ...[0x06, 0x5f, 0x73, 0x74, 0x61, 0x72, 0x74, 0x00, 0x00],
  ...[0x0a, 0x04, 0x01, 0x02, 0x00, 0x0b],
);

/**
 * One real agent, for which a job waits when it enrols.
 * @returns from when the registry has its enrolment to when the pool has the start of its first task; and, of the
 * tasks that follow, the median of what the pool saw between a start and its completion: all of it overhead
 */
export async function firstTask(
  platform: Platform,
  bus: Bus,
  { tenantKey, operatorKey }: { readonly tenantKey: string; readonly operatorKey: string },
): Promise<{ readonly enrolToFirstTaskMs: number; readonly wasmOverheadMs: number }> {
  const client = new Client(platform.gatewayUrl, tenantKey);
  const cid = await client.putContent(emptyProgram);
  const job = {
    name: 'nothing, many times',
    program: { cid, timeLimitMs: 10_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
    requirements: {
      ...({ deviceKind: 'cpu', cpuMillis: 500, memoryMib: 64 } as const),
      ...{ maxPricePerSecondAtto: '1000000000000', regions: [REGION] },
    },
    quorum: 1,
    tasks: Array.from({ length: TASKS }, () => ({ inputs: [] })),
  };
  const { id } = await client.submit(job, 'first-task');
  const plan = { name: 'bench', operatorKey, region: REGION, pricePerSecondAtto: 1_000_000_000n };
  await platform.startAgent({ ...plan, cpuMillis: 1_000, memoryMib: 256 });
  for await (const _ of client.events(id));
  const { status, detail = '' } = await client.ended(id);
  if (status !== 'succeeded') throw new Error(`the job of the first tasks ${status}: ${detail}`);
  const enrolled = last(await recorded(bus, 'EVT_REGISTRY', 'NodeEnrolled'));
  const started = await recorded(bus, 'EVT_SCHEDULING', 'LeaseStarted');
  const completed = await recorded(bus, 'EVT_SCHEDULING', 'LeaseCompleted');
  await platform.stopAgent('bench');
  return {
    enrolToFirstTaskMs: msBetween(enrolled, started[0]!),
    wasmOverheadMs: median(spans(started, completed)),
  };
}

function spans(started: readonly StoredMessage[], completed: readonly StoredMessage[]): readonly number[] {
  const startOf = new Map(
    started.map(message => [
      (decode('astro.scheduling.v1.LeaseStarted', message.payload) as LeaseStarted).leaseId,
      message,
    ]),
  );
  return completed.map(message => {
    const { leaseId } = decode('astro.scheduling.v1.LeaseCompleted', message.payload) as LeaseCompleted;
    return msBetween(startOf.get(leaseId)!, message);
  });
}

const msBetween = (from: StoredMessage, to: StoredMessage): number =>
  Number(to.recordedAtNanos - from.recordedAtNanos) / NANOS_PER_MS;

const last = <Item>(items: readonly Item[]): Item => items.at(-1)!;

/** All events of one name, oldest first. */
export async function recorded(bus: Bus, stream: string, name: string): Promise<readonly StoredMessage[]> {
  const found: StoredMessage[] = [];
  let after = 0;
  for (;;) {
    const page = await readStored(bus, stream, after);
    if (page.length === 0) return found;
    found.push(...page.filter(({ subject }) => subject.endsWith(`.${name}`)));
    after = last(page).sequence;
  }
}
