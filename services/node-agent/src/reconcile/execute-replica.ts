import type { Assignment, NodeReport, ReplicaOrders, ReplicaRunning } from '@astro/messages/agent';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { delay } from '@astro/jetstream/delay';
import { resultDigest } from '@astro/messages/result-digest';
import type { Moved } from '../content/content.js';
import { failedReport, fetchFiles, storeOutputs, type Execution } from './execute-lease.js';
import type { EndReport } from './lease-journal.js';
import type { TaskFiles } from '../runtime/task-runtime.js';

/** A program that fails this often in a row fails here; whether it does elsewhere others find out. */
const FAULTS_MAX = 5;

export type ReplicaExecution = Execution & {
  /** What the platform wants of the replica now: that changes with the number of replicas. */
  orders(): ReplicaOrders;
  readonly log: Log;
  /** Resolves when the platform is sure to hear it. */
  report(report: NodeReport): Promise<void>;
};

type Tally = Pick<ReplicaRunning, 'runs' | 'busyMs' | 'digest' | 'outputs'>;
/** What of a replica is reported. */
export type Reported = {
  readonly assignment: Assignment;
  readonly execution: ReplicaExecution;
  readonly tally: { -readonly [Field in keyof Tally]: Tally[Field] };
  readonly moved: Moved;
  /** Adds to the tally what is under way. */
  count(): void;
};
type Replica = Reported & { readonly files: TaskFiles; runningSinceMs: number | undefined };

/**
 * Runs the program again and again, and says from time to time that it does, which is what keeps the lease. Ends
 * only as failed, when the node or the program keeps failing.
 * @throws the signal's reason when it aborts, and what `started` throws: the lease has not ended then
 */
export async function executeReplica(
  assignment: Assignment,
  execution: ReplicaExecution,
  signal: AbortSignal,
): Promise<EndReport> {
  const failed = (what: string, error: unknown) => {
    signal.throwIfAborted();
    return failedReport(assignment, what, error);
  };
  const moved = { fetchedBytes: 0, uploadedBytes: 0 };
  let files: TaskFiles;
  try {
    files = await fetchFiles(assignment, execution.content, signal, moved);
  } catch (error) {
    return failed('the inputs are not available', error);
  }
  await execution.started();
  const tally = { runs: 0, busyMs: 0, digest: '', outputs: [] };
  const replica: Replica = {
    ...{ assignment, execution, files, tally, moved, runningSinceMs: undefined },
    count: () => countBusy(replica),
  };
  const ended = new AbortController();
  const reporting = keepReporting(replica, AbortSignal.any([signal, ended.signal]));
  try {
    return failed('the program keeps failing', await runUntilItFails(replica, signal));
  } catch (error) {
    return failed('the program could not be run', error);
  } finally {
    ended.abort();
    await reporting;
  }
}

/** Each run begins a while after the one before, or at once when that took longer. The last fault, after too many. */
async function runUntilItFails(replica: Replica, signal: AbortSignal): Promise<Error> {
  const { assignment, execution, files, tally, moved } = replica;
  let faults = 0;
  for (;;) {
    signal.throwIfAborted();
    const beganMs = performance.now();
    replica.runningSinceMs = beganMs;
    const result = await execution.runtime.run(assignment, files, signal, execution.follower);
    const { fault } = result;
    countBusy(replica);
    replica.runningSinceMs = undefined;
    tally.runs += 1;
    faults = fault === 'none' ? 0 : faults + 1;
    if (faults === FAULTS_MAX) return new Error(`${fault}, ${FAULTS_MAX} times in a row`);
    if (fault === 'none') {
      tally.outputs = await storeOutputs(result, execution.content, signal, moved);
      tally.digest = resultDigest('none', tally.outputs);
    }
    await delay(Math.max(0, execution.orders().runEveryMs - (performance.now() - beganMs)), signal);
  }
}

/** A run that is under way counts until now. */
function countBusy(replica: Replica): void {
  if (replica.runningSinceMs === undefined) return;
  const nowMs = performance.now();
  replica.tally.busyMs += nowMs - replica.runningSinceMs;
  replica.runningSinceMs = nowMs;
}

/** One report after the other. What could not be reported is part of the next. */
export async function keepReporting(replica: Reported, signal: AbortSignal): Promise<void> {
  const { execution, assignment, tally, moved } = replica;
  const { poolId, leaseId, fencingToken } = assignment;
  for (;;) {
    await delay(execution.orders().reportEveryMs, signal);
    if (signal.aborted) return;
    replica.count();
    const told = { ...tally, busyMs: Math.round(tally.busyMs), transferred: { ...moved } };
    try {
      await execution.report({ type: 'ReplicaRunning', data: { poolId, leaseId, fencingToken, ...told } });
    } catch (error) {
      if (signal.aborted) return;
      execution.log.warn('a replica was not reported yet', { leaseId, reason: reasonOf(error) });
      continue;
    }
    tally.runs -= told.runs;
    tally.busyMs = Math.max(0, tally.busyMs - told.busyMs);
    moved.fetchedBytes -= told.transferred.fetchedBytes;
    moved.uploadedBytes -= told.transferred.uploadedBytes;
  }
}
