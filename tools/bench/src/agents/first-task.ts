import { Client } from '@astro/demo/client';
import type { Platform } from '@astro/devstack/platform';
import type { Bus } from '@astro/jetstream/bus';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { decode } from '@astro/messages/codec';
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

export type FirstTask = {
  /** From when the registry has its enrolment to when the pool has the start of its first task. */
  readonly enrolToFirstTaskMs: number;
  /** The median, over its tasks, of what lies between its reports of a start and of the end: all of it overhead. */
  readonly wasmOverheadMs: number;
  /** The same as the pool has it, which deals with either report in its turn. */
  readonly wasmLeaseMs: number;
};

/** One real agent, for which a job waits when it enrols. */
export async function firstTask(
  platform: Platform,
  bus: Bus,
  { tenantKey, operatorKey }: { readonly tenantKey: string; readonly operatorKey: string },
): Promise<FirstTask> {
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
    wasmOverheadMs: median(
      spans(await reported(bus, 'TaskStarted'), await reported(bus, 'TaskCompleted'), 'astro.agent.v1'),
    ),
    wasmLeaseMs: median(spans(started, completed, 'astro.scheduling.v1')),
  };
}

type Said = Pick<StoredMessage, 'subject' | 'payload' | 'recordedAtNanos'>;
type OfLease = { readonly leaseId: string };

function spans(
  started: readonly Said[],
  ended: readonly Said[],
  packageName: 'astro.agent.v1' | 'astro.scheduling.v1',
): readonly number[] {
  const leaseOf = ({ subject, payload }: Said) =>
    (decode(`${packageName}.${subject.slice(subject.lastIndexOf('.') + 1)}`, payload) as OfLease).leaseId;
  const startOf = new Map(started.map(message => [leaseOf(message), message]));
  return ended.map(message => msBetween(startOf.get(leaseOf(message))!, message));
}

const msBetween = (from: Said, to: Said): number =>
  Number(to.recordedAtNanos - from.recordedAtNanos) / NANOS_PER_MS;

const last = <Item>(items: readonly Item[]): Item => items.at(-1)!;

/** All reports of one name, oldest first, as long as they are few. */
async function reported(bus: Bus, name: string): Promise<readonly Said[]> {
  const found: Said[] = [];
  for (let seq = 1; ;) {
    const query = { seq, next_by_subj: `agent.*.${name}` };
    const message = await bus.jsm.streams.getMessage('AGENT_REPORTS', query);
    if (!message) return found;
    const recordedAtNanos = BigInt(message.time.getTime() * NANOS_PER_MS);
    found.push({ subject: message.subject, payload: message.data, recordedAtNanos });
    seq = message.seq + 1;
  }
}

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
