import type { Assignment } from '@astro/messages/agent';
import type { Server } from '@astro/messages/scheduling';
import { delay } from '@astro/jetstream/delay';
import { reasonOf } from '@astro/jetstream/log';
import { failedReport, fetchFiles } from '../reconcile/execute-lease.js';
import { keepReporting, type ReplicaExecution, type Reported } from '../reconcile/execute-replica.js';
import type { EndReport } from '../reconcile/lease-journal.js';
import type { FinishedRun } from '../sandbox/program-run.js';
import type { TaskFiles } from '../runtime/task-runtime.js';
import type { EndpointDesk } from './endpoint-desk.js';
import { HealthTeller } from './health-teller.js';
import { untilUnhealthy } from './health-watch.js';
import { ProgramPort } from './program-port.js';
import { ServerReplica } from './server-replica.js';

/** A program that is started so often in a row and does not stay healthy fails here; elsewhere it may not. */
const STARTS_MAX = 4;
/** Who was healthy for so long has earned all of them again. */
const STABLE_MS = 60_000;
const RESTART_DELAY_MS = 500;
/** After its network could not be entered. */
const ENDED_WITHIN_MS = 5_000;
/** What is in flight when a lease is taken back may end within this; after a notice it had that. */
const DRAIN_MS = 5_000;

export type ServerExecution = ReplicaExecution & { readonly endpoints: EndpointDesk };

type Serving = {
  readonly assignment: Assignment;
  readonly server: Server;
  readonly execution: ServerExecution;
  readonly files: TaskFiles;
  readonly replica: ServerReplica;
  readonly teller: HealthTeller;
};

/**
 * Keeps the program running and hands it requests while it is healthy. It is started again when it ends or is not
 * healthy any more; the lease ends only as failed, when that does not help.
 * @throws the signal's reason when it aborts, and what `started` throws: the lease has not ended then
 */
export async function executeServer(
  assignment: Assignment,
  server: Server,
  execution: ServerExecution,
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
  const hasNotice = () => execution.orders().isUnderNotice === true;
  const replica = new ServerReplica(assignment.fencingToken, server, hasNotice);
  const ended = new AbortController();
  const untilEnded = AbortSignal.any([signal, ended.signal]);
  const teller = new HealthTeller(assignment, execution, untilEnded);
  const reporting = keepReporting(reportedOf(assignment, execution, replica, moved), untilEnded);
  execution.endpoints.open(assignment.leaseId, replica);
  try {
    const serving = { assignment, server, execution, files, replica, teller };
    return failed('the server keeps failing', await serveUntilItFails(serving, signal));
  } catch (error) {
    return failed('the program could not be run', error);
  } finally {
    execution.endpoints.close(assignment.leaseId);
    ended.abort();
    await Promise.all([reporting, teller.closed]);
  }
}

function reportedOf(
  assignment: Assignment,
  execution: ServerExecution,
  replica: ServerReplica,
  moved: Reported['moved'],
): Reported {
  const tally = { runs: 0, busyMs: 0, digest: '', outputs: [] };
  const count = () => {
    const { runs, busyMs } = replica.usage();
    tally.runs += runs;
    tally.busyMs += busyMs;
  };
  return { assignment, execution, tally, moved, count };
}

/** Why it was not healthy the last time, after too many starts. */
async function serveUntilItFails(serving: Serving, signal: AbortSignal): Promise<Error> {
  const { execution, assignment, teller } = serving;
  for (let starts = 1; ; starts += 1) {
    const { reason, healthyMs } = await serveOnce(serving, signal);
    signal.throwIfAborted();
    teller.tell(reason);
    execution.log.warn('a server is not healthy', { leaseId: assignment.leaseId, reason });
    if (healthyMs >= STABLE_MS) starts = 1;
    if (starts === STARTS_MAX) return new Error(`${reason}, after ${STARTS_MAX} starts`);
    await delay(RESTART_DELAY_MS * 2 ** (starts - 1), signal);
  }
}

type Ended = { readonly reason: string; readonly healthyMs: number };

/** From the program's start until it is of no use any more; it has ended then, and nothing leads to it. */
async function serveOnce(serving: Serving, signal: AbortSignal): Promise<Ended> {
  const { assignment, server, execution, files, replica } = serving;
  const stop = new AbortController();
  const unhealthy = Promise.withResolvers<string>();
  let watched: Promise<void> | undefined;
  let healthySinceMs: number | undefined;
  const onHealthy = () => {
    healthySinceMs = performance.now();
    serving.teller.tell(undefined);
  };
  const started = (processId: number) => {
    watched = watch(serving, processId, onHealthy, stop.signal).then(unhealthy.resolve);
  };
  const ran = execution.runtime
    .run(assignment, files, stop.signal, execution.follower, { port: server.port, started })
    .then(saidOf);
  try {
    const reason = await Promise.race([ran, unhealthy.promise, untilDrained(replica, signal)]);
    return { reason, healthyMs: healthySinceMs === undefined ? 0 : performance.now() - healthySinceMs };
  } finally {
    stop.abort(new Error('the server is stopped'));
    await Promise.allSettled([ran, watched]);
  }
}

/** @returns why the program is not healthy */
async function watch(
  { server, replica }: Serving,
  processId: number,
  onHealthy: () => void,
  signal: AbortSignal,
): Promise<string> {
  let port: ProgramPort | undefined;
  try {
    port = await ProgramPort.open(processId, server.port);
    replica.reachedAt(port);
    return await untilUnhealthy(port, server.health, onHealthy, signal);
  } catch (error) {
    // A program that has ended has no network any more, and that it has ended says more.
    await delay(ENDED_WITHIN_MS, signal);
    return reasonOf(error);
  } finally {
    replica.reachedAt(undefined);
    await port?.close();
  }
}

const saidOf = ({ fault, stderrTail }: FinishedRun) =>
  `the program has ended${fault === 'none' ? '' : ` as ${fault}`}: ${stderrTail.trim()}`;

/** Resolves when the lease has ended and what was in flight then is answered, or has had its time. */
async function untilDrained(replica: ServerReplica, signal: AbortSignal): Promise<string> {
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  if (replica.isDraining) return 'the notice of the lease has ended';
  const idle = new AbortController();
  const drained = replica.drained().then(() => idle.abort());
  await Promise.race([drained, delay(DRAIN_MS, idle.signal)]);
  return 'the lease has ended';
}
