import type { Assignment, DesiredState, NodeReport, ReplicaOrders } from '@astro/messages/agent';
import type { Log } from '@astro/jetstream/log';
import { reasonOf } from '@astro/jetstream/log';
import type { Content } from '../content/content.js';
import type { TaskRuntime } from '../runtime/task-runtime.js';
import { executeLease, type Execution } from './execute-lease.js';
import { executeReplica } from './execute-replica.js';
import type { EndReport, LeaseJournal } from './lease-journal.js';

/** A lease that is still listed this long after its end was reported is reported once more. */
const REPORT_AGAIN_MS = 30_000;
/** Timers hold no more than 31 bits; a later deadline is looked at again by then. */
const TIMER_MAX_MS = 2_147_483_647;

/** Why a running task is stopped: the platform no longer wants it, it is late, or the agent ends. */
export class LeaseStopped extends Error {
  override readonly name = 'LeaseStopped';
}

export type ReconcilerOptions = {
  readonly journal: LeaseJournal;
  readonly content: Content;
  readonly runtime: TaskRuntime;
  /** Tasks that run at the same time, whatever the platform asks for. */
  readonly tasksMax: number;
  readonly log: Log;
  /** Resolves when the report is stored. */
  report(report: NodeReport): Promise<void>;
};

type RunningLease = {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  /** Stops it at its deadline, which moves on while a replica is renewed. */
  timer: NodeJS.Timeout | undefined;
};

/**
 * Makes what runs here equal to what the platform wants, whatever happened before: each look compares the whole
 * desired state with the running tasks and with the journal of those that ended.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #running = new Map<string, RunningLease>();
  readonly #reporting = new Map<string, Promise<void>>();
  #desired: ReadonlyMap<string, Assignment> | undefined;
  #closed = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get runningLeases(): number {
    return this.#running.size;
  }

  /** Whether the platform has said at least once what it wants. */
  get isInformed(): boolean {
    return this.#desired !== undefined;
  }

  async want(state: DesiredState): Promise<void> {
    this.#desired = new Map(state.assignments.map(assignment => [assignment.leaseId, assignment]));
    await this.reconcile();
  }

  /** Changes nothing where nothing is to be done, so that it can be called at any time. */
  async reconcile(): Promise<void> {
    const desired = this.#desired;
    if (!desired || this.#closed) return;
    for (const [leaseId, { stop }] of this.#running) {
      if (!desired.has(leaseId)) stop.abort(new LeaseStopped('the lease was taken back'));
    }
    for (const leaseId of this.#options.journal.leaseIds()) {
      if (!desired.has(leaseId)) await this.#options.journal.forget(leaseId);
    }
    for (const assignment of desired.values()) this.#look(assignment);
  }

  /** Stops all tasks; their leases stay open and run again after a restart, if they are still wanted then. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { stop } of this.#running.values()) stop.abort(new LeaseStopped('the agent stops'));
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    await Promise.all(this.#reporting.values());
  }

  #look(assignment: Assignment): void {
    const { leaseId, deadline } = assignment;
    const ended = this.#options.journal.ended(leaseId);
    if (ended) {
      const isDue = ended.reportedAtMs === undefined || Date.now() - ended.reportedAtMs > REPORT_AGAIN_MS;
      if (isDue) this.#report(ended.report);
      return;
    }
    const running = this.#running.get(leaseId);
    if (running) return stopAt(deadline, running);
    const isFull = this.#running.size >= this.#options.tasksMax;
    if (isFull || deadline.getTime() <= Date.now()) return;
    const stop = new AbortController();
    const done = this.#run(assignment, stop).finally(() => {
      clearTimeout(this.#running.get(leaseId)?.timer);
      this.#running.delete(leaseId);
      // There is room for another one now.
      return this.reconcile();
    });
    const started: RunningLease = { stop, done, timer: undefined };
    this.#running.set(leaseId, started);
    stopAt(deadline, started);
  }

  async #run(assignment: Assignment, stop: AbortController): Promise<void> {
    const { log, content, runtime, journal } = this.#options;
    const { poolId, leaseId, fencingToken, taskId } = assignment;
    const started = () =>
      this.#options.report({ type: 'TaskStarted', data: { poolId, leaseId, fencingToken } });
    const execution = { content, runtime, started };
    try {
      const report = assignment.replica
        ? await this.#runReplica(assignment, assignment.replica, execution, stop.signal)
        : await executeLease(assignment, execution, stop.signal);
      stop.signal.throwIfAborted();
      await journal.record({ report, reportedAtMs: undefined });
      this.#report(report);
      log.info(report.type === 'TaskCompleted' ? 'task completed' : 'task failed', {
        leaseId,
        taskId,
        ...said(report),
      });
    } catch (error) {
      // The lease has not ended; if it is still wanted, a later look runs it again.
      log.warn('task stopped', { leaseId, taskId, reason: reasonOf(error) });
    }
  }

  #runReplica(
    assignment: Assignment,
    first: ReplicaOrders,
    execution: Execution,
    signal: AbortSignal,
  ): Promise<EndReport> {
    const { log } = this.#options;
    const orders = () => this.#desired?.get(assignment.leaseId)?.replica ?? first;
    const report = (told: NodeReport) => this.#options.report(told);
    return executeReplica(assignment, { ...execution, log, orders, report }, signal);
  }

  /** One report of a lease at a time; where it fails, the journal still has it for the next look. */
  #report(report: EndReport): void {
    const { journal, log } = this.#options;
    const { leaseId } = report.data;
    if (this.#reporting.has(leaseId)) return;
    const reporting = this.#options
      .report(report)
      .then(async () => {
        if (journal.ended(leaseId)) await journal.record({ report, reportedAtMs: Date.now() });
      })
      .catch((error: unknown) => log.warn('report not sent yet', { leaseId, reason: reasonOf(error) }))
      .finally(() => this.#reporting.delete(leaseId));
    this.#reporting.set(leaseId, reporting);
  }
}

function stopAt(deadline: Date, running: RunningLease): void {
  clearTimeout(running.timer);
  const late = () => running.stop.abort(new LeaseStopped('the deadline has passed'));
  running.timer = setTimeout(late, Math.min(deadline.getTime() - Date.now(), TIMER_MAX_MS));
}

const said = (report: EndReport) =>
  report.type === 'TaskCompleted' ? { fault: report.data.fault } : { reason: report.data.reason };
