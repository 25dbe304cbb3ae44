/**
 * Answers one question about a recorded tick and ends. A pool keeps a core busy while it is rebuilt and decided, so
 * that this is not done where the living one places. Imports packages alone, so that Node can load this file from the
 * sources as well as from the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { Snapshots } from '@astro/jetstream/snapshots';
import { RecordedTicks } from '@astro/scheduling/explaining/recorded-tick.reader';
import type { TickTask } from '@astro/scheduling/explaining/tick-questions.loop';

const { bus: connection, question, eventsMax } = workerData as TickTask;
const bus = await Bus.connect(connection);
const record = { events: new EventStore(bus), snapshots: new Snapshots(bus) };
parentPort!.postMessage(await new RecordedTicks(record, eventsMax).explain(question));
await bus.close();
