import type { Recorded } from '@astro/event-sourcing/recorded';
import { toJson } from '../http/json.js';
import type { ProgressFeed } from './task-progress.js';

const TERMINAL: ReadonlySet<string> = new Set(['JobSucceeded', 'JobFailed', 'JobCancelled']);

export type Followed = {
  readonly after: number;
  readonly heartbeatMs: number;
  readonly progress: Pick<ProgressFeed, 'ready' | 'take'>;
};

/**
 * The events of one job as text/event-stream, from its first: those up to `after` are passed over, which is
 * how a client that already has the last event is told that nothing more will come. Ends after the job's
 * terminal event. Pulls one event at a time, so that a slow reader slows the source. How far tasks are is told between
 * them.
 */
export async function* eventStream(
  events: AsyncIterable<Recorded>,
  { after, heartbeatMs, progress }: Followed,
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    // Sent at once, so that proxies and clients see the stream open before the first event.
    yield ': open\n\n';
    let next = iterator.next();
    for (;;) {
      const result = await Promise.race([next, silence(next, heartbeatMs), progress.ready()]);
      if (result === undefined) {
        const told = progress.take();
        yield* told.length > 0 ? told : [': heartbeat\n\n'];
        continue;
      }
      if (result.done) return;
      const { position, event } = result.value;
      if (position > after) yield frame(result.value);
      if (TERMINAL.has(event.type)) return;
      next = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

const frame = ({ position, event, recordedAt }: Recorded): string =>
  `id: ${position}\nevent: ${event.type}\ndata: ${toJson({ ...payload(event.data), recordedAt })}\n\n`;

const payload = (data: unknown): object => (typeof data === 'object' && data !== null ? data : {});

/** Resolves to undefined after `ms` unless `next` settles before; the timer never outlives it. */
function silence(next: Promise<unknown>, ms: number): Promise<undefined> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms, undefined);
    const clear = () => clearTimeout(timer);
    next.then(clear, clear);
  });
}
