import type { Message } from '@astro/event-sourcing/decider';
import { derivedId, newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { AtomicBatch, type Outgoing } from '@astro/jetstream/atomic-batch';
import type { Bus } from '@astro/jetstream/bus';
import { envelopeLines, headerLine, subjectOf } from '@astro/jetstream/headers';
import { contextOf, eventsOf, eventSubject } from '@astro/jetstream/subjects';
import { encode, typeNameOf } from '@astro/messages/codec';
import type { JobEvent, JobSpec } from '@astro/messages/scheduling';
import type { Progress } from './benchmark.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

const tasksPerJob = 4;
const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
/** One batch holds an event of each. */
const jobsAtOnce = 500;

/** What happens to a job that goes well, as far as its own aggregate tells: one submission and its consequences. */
export function jobHistory(jobId: string): readonly JobEvent[] {
  const tenantId = newId('tenant');
  const tasks = Array.from({ length: tasksPerJob }, (_, index) => ({
    taskId: newId('task'),
    inputs: [{ name: `digits-${index}`, cid }],
    args: ['--epochs', '3'],
  }));
  const job = { jobId, tenantId, poolId: 'main' };
  const spec: JobSpec = { ...commonSpec, name: `train ${jobId}`, tasks };
  return [
    { type: 'JobSubmitted', data: { ...job, spec, maxCostAtto: 10n ** 24n } },
    { type: 'JobQueued', data: { ...job, spec } },
    ...tasks.map(({ taskId }): JobEvent => ({
      type: 'TaskSucceeded',
      data: {
        jobId,
        tenantId,
        taskId,
        outputs: [{ name: 'model', cid, sizeBytes: 4_096 }],
        digest: cid,
        work: [],
      },
    })),
    { type: 'JobSucceeded', data: { ...job, tasksSucceeded: tasksPerJob } },
  ];
}

const commonSpec = {
  program: { cid, timeLimitMs: 60_000, memoryLimitMib: 256, outputLimitBytes: 1_048_576 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu' as const,
    cpuMillis: 1_000,
    memoryMib: 256,
    regions: ['de-fra', 'nl-ams'],
    maxPricePerSecondAtto: 10n ** 20n,
  },
  quorum: 2,
  ...plainJob,
};

/**
 * Appends whole histories until the stream holds `count` events more, those of `jobsAtOnce` jobs side by side: as the
 * event store would, with the same ids and expectations, but in batches as large as a server takes at best.
 * @param historyOf the events of one job, in their order
 * @returns how many jobs have events, the last of them not all of theirs
 */
export async function appendHistories(
  bus: Bus,
  count: number,
  historyOf: (jobId: string) => readonly Message[],
  progress: Progress,
): Promise<number> {
  const step = Math.ceil(count / 5);
  let appended = 0;
  let begun = 0;
  while (appended < count) {
    const before = appended;
    const jobs = Array.from({ length: jobsAtOnce }, () => beginning(historyOf));
    for (let round = 0; appended < count && round < jobs[0]!.events.length; round++) {
      const taking = jobs.slice(0, count - appended);
      await appendNext(bus, taking, round);
      if (round === 0) begun += taking.length;
      appended += taking.length;
    }
    if (Math.floor(appended / step) > Math.floor(before / step))
      progress(`${appended} of ${count} events are in the stream`);
  }
  return begun;
}

type Job = { readonly aggregate: AggregateRef; readonly events: readonly Message[]; position: number };

function beginning(historyOf: (jobId: string) => readonly Message[]): Job {
  const id = newId('job');
  return { aggregate: { type: 'scheduling.job', id }, events: historyOf(id), position: 0 };
}

/** One event of each job, all of them in one atomic batch. */
async function appendNext(bus: Bus, jobs: readonly Job[], round: number): Promise<void> {
  const batch = new AtomicBatch(bus);
  for (const job of jobs) batch.add(messageOf(job, job.events[round]!));
  const { seq } = await batch.commit();
  for (const [index, job] of jobs.entries()) job.position = seq - jobs.length + 1 + index;
}

function messageOf({ aggregate, position }: Job, { type, data }: Message): Outgoing {
  const typeName = typeNameOf('event', aggregate.type, type);
  const commandId = newId('cmd');
  return {
    subject: eventSubject(aggregate, type),
    data: encode(typeName, data),
    headers:
      envelopeLines({
        id: derivedId('evt', commandId, 0),
        typeName,
        source: contextOf(aggregate.type),
        subject: subjectOf(aggregate),
        metadata: { correlationId: commandId, causationId: commandId, actor: 'service:bench' },
      }) +
      headerLine('Nats-Expected-Last-Subject-Sequence', String(position)) +
      headerLine('Nats-Expected-Last-Subject-Sequence-Subject', eventsOf(aggregate)),
  };
}
