import type { EntityManager } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Bus } from '@astro/jetstream/bus';
import { eventBatches } from '@astro/jetstream/event-reader';
import type { ProjectionRunner } from '@astro/postgres/projection-runner';

/** Events of one transaction: larger than a live projection's, because nobody waits for any one of them. */
const eventsPerBatch = 5_000;

export type FillOptions = {
  readonly bus: Bus;
  readonly projection: Projection<Message, EntityManager>;
  readonly runner: ProjectionRunner;
  /** The last position that is applied: without it, all that is in the stream at the beginning. */
  readonly upTo?: number;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: { readonly events: number; readonly position: number }) => void;
};

/**
 * Applies what the stream holds after the runner's checkpoint. While the database takes one batch, the next is read and
 * decoded. @returns how many events were applied
 */
export async function fill({
  bus,
  projection,
  runner,
  upTo,
  signal,
  onProgress,
}: FillOptions): Promise<number> {
  const range = {
    reads: projection.reads,
    afterPosition: await runner.position(),
    batchSize: eventsPerBatch,
    ...(upTo === undefined ? {} : { upTo }),
    ...(signal === undefined ? {} : { signal }),
  };
  let events = 0;
  let applying: Promise<{ readonly failure?: Error }> = Promise.resolve({});
  for await (const batch of eventBatches(bus, range)) {
    rethrow(await applying);
    applying = settled(runner.apply(batch));
    events += batch.length;
    onProgress?.({ events, position: batch.at(-1)!.position });
  }
  rethrow(await applying);
  return events;
}

/** A failure waits until somebody asks for it, instead of ending the process as one that nobody handles. */
const settled = (work: Promise<void>): Promise<{ readonly failure?: Error }> =>
  work.then(
    () => ({}),
    (failure: unknown) => ({ failure: failure instanceof Error ? failure : new Error(String(failure)) }),
  );

function rethrow({ failure }: { readonly failure?: Error }): void {
  if (failure === undefined) return;
  throw failure instanceof Error ? failure : new Error('a batch could not be applied', { cause: failure });
}
