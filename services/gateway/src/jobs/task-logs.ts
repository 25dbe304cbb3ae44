import { delay } from '@astro/jetstream/delay';
import type { LeaseLogs, StoredLog } from '@astro/jetstream/lease-logs';
import type { LogsWritten } from '@astro/messages/agent';
import { decode } from '@astro/messages/codec';
import { toJson } from '../http/json.js';
import type { LogEntry } from './task-logs.schema.js';

const ENTRIES_AT_ONCE = 100;
const LOOK_EVERY_MS = 500;
/** The last of a log may come a moment after the end of its task. */
const LOOKS_AFTER_END = 4;

/** What is known of a task now: more leases may come until it has ended. */
export type TaskRuns = { readonly leaseIds: readonly string[]; readonly hasEnded: boolean };

export type FollowedLogs = {
  readonly after: number;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
  runs(): Promise<TaskRuns>;
};

/** The log of a task as text/event-stream, from after a position on. Ends a while after the task has ended. */
export async function* logStream(
  logs: LeaseLogs,
  { after, heartbeatMs, signal, runs }: FollowedLogs,
): AsyncGenerator<string> {
  // Sent at once, so that proxies and clients see the stream open before the first line.
  yield ': open\n\n';
  let position = after;
  let [quietMs, looksAfterEnd] = [0, 0];
  while (!signal.aborted && looksAfterEnd < LOOKS_AFTER_END) {
    const { leaseIds, hasEnded } = await runs();
    const found = await logs.read(leaseIds, position, ENTRIES_AT_ONCE);
    for (const stored of found) {
      yield `id: ${stored.position}\nevent: Log\ndata: ${toJson(entryOf(stored))}\n\n`;
      position = stored.position;
    }
    if (found.length === ENTRIES_AT_ONCE) continue;
    looksAfterEnd = hasEnded && found.length === 0 ? looksAfterEnd + 1 : 0;
    quietMs = found.length === 0 ? quietMs + LOOK_EVERY_MS : 0;
    if (quietMs >= heartbeatMs) {
      yield ': heartbeat\n\n';
      quietMs = 0;
    }
    await delay(LOOK_EVERY_MS, signal);
  }
}

export function entryOf({ leaseId, storedAt, payload }: StoredLog): LogEntry {
  const { lines, linesLeftOut } = decode('astro.agent.v1.LogsWritten', payload) as LogsWritten;
  return {
    ...{ leaseId, at: storedAt.toISOString(), linesLeftOut },
    lines: lines.map(({ source, text }) => ({ source: source === 'stderr' ? 'stderr' : 'stdout', text })),
  };
}
