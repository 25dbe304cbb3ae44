import type { Message } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { JobEvent, JobSpec } from '@astro/messages/scheduling';
import type { Progress } from './benchmark.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

const tasksPerJob = 4;
const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const callers = 512;

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
 * Appends whole histories until the stream holds `count` events more, `callers` of them at a time.
 * @param historyOf the events of one job, in their order
 */
export async function appendHistories(
  bus: Bus,
  count: number,
  historyOf: (jobId: string) => readonly Message[],
  progress: Progress,
): Promise<void> {
  const store = new EventStore(bus);
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };
  const step = Math.ceil(count / 5);
  let begun = 0;
  let appended = 0;
  const call = async () => {
    while (begun < count) {
      const aggregate: AggregateRef = { type: 'scheduling.job', id: newId('job') };
      const events = historyOf(aggregate.id).slice(0, count - begun);
      begun += events.length;
      let expectedPosition = 0;
      for (const event of events) {
        const options = { expectedPosition, commandId: newId('cmd'), metadata };
        ({ position: expectedPosition } = await store.append(aggregate, [event], options));
        if (++appended % step === 0) progress(`${appended} of ${count} events are in the stream`);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
}
