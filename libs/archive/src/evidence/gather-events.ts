import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { contextOf, eventStreamOf } from '@astro/jetstream/subjects';
import type { TaskEvent } from '@astro/messages/verification';

/**
 * What evidence about a task has to cite, byte for byte: the submission of its job, then all of its verification.
 * Nothing when no result of the task is on record.
 */
export async function gatherEvents(bus: Bus, taskId: string): Promise<readonly StoredMessage[]> {
  const store = new EventStore(bus);
  const votes = (await store.load({
    type: 'verification.task',
    id: taskId,
  })) as readonly Recorded<TaskEvent>[];
  const jobId = votes[0]?.event.data.jobId;
  if (jobId === undefined) return [];
  const { events } = await store.loadSome({ type: 'scheduling.job', id: jobId }, 0, 1);
  return Promise.all([...events, ...votes].map(event => storedAt(bus, event)));
}

async function storedAt(bus: Bus, { aggregate, position }: Recorded): Promise<StoredMessage> {
  const stream = eventStreamOf(contextOf(aggregate.type));
  const [stored] = await readStored(bus, stream, position - 1, 1);
  if (stored?.sequence !== position) throw new Error(`${stream} has lost its event ${position}`);
  return stored;
}
