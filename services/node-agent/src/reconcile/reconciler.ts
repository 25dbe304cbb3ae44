import type {
  Assignment,
  DesiredState,
  LogsWritten,
  NodeReport,
  ReplicaOrders,
  TaskCheckpointed,
  TaskProgressed,
} from '@astro/messages/agent';
import type { AttestationKind } from '@astro/messages/registry';
import { crashPoint } from '@astro/jetstream/crash-point';
import { delay } from '@astro/jetstream/delay';
import type { Log } from '@astro/jetstream/log';
import { reasonOf } from '@astro/jetstream/log';
import type { Content } from '../content/content.js';
import type { EndpointDesk } from '../endpoint/endpoint-desk.js';
import { executeServer } from '../endpoint/execute-server.js';
import type { Evictable } from '../pressure/pressure.js';
import type { Follower, TaskRunner } from '../runtime/task-runtime.js';
import { CheckpointKeeper } from './checkpoint-keeper.js';
import { DeadlineTimer } from './deadline-timer.js';
import { executeLease, failedReport, type Execution } from './execute-lease.js';
import { executeReplica } from './execute-replica.js';
import type { EndReport, LeaseJournal } from './lease-journal.js';
import { LogSender } from './log-sender.js';
import { ProgressTeller } from './task-progress.js';

/** A lease that is still listed this long after its end was reported is reported once more. */
const REPORT_AGAIN_MS = 30_000;

/** How long a program may take to keep its state when the agent stops. */
const NOTICE_OF_AGENT_MS = 3_000;
/** What is left of a notice when its program is ended: its last checkpoint is stored and reported in it. */
const LAST_CHECKPOINT_MS = 5_000;

/** How long a program that is evicted may take to keep its state. */
const NOTICE_OF_EVICTION_MS = 10_000;

/** Why a running task is stopped: the platform no longer wants it, it is late, or the agent ends. */
export class LeaseStopped extends Error {
  override readonly name = 'LeaseStopped';
}

/** The host needs what the lease has: it ends here, and its task goes elsewhere. */
class LeaseEvicted extends Error {
  override readonly name = 'LeaseEvicted';
}

export type ReconcilerOptions = {
  readonly journal: LeaseJournal;
  readonly content: Content;
  readonly runtime: TaskRunner;
  readonly endpoints: EndpointDesk;
  /** Tasks that run at the same time, whatever the platform asks for. */
  readonly tasksMax: number;
  /** The age identities of this node, the current one first. */
  identities(): readonly string[];
  /** What this machine can prove. */
  readonly attestationClaimed: AttestationKind | undefined;
  readonly log: Log;
  /** Resolves when the report is stored. */
  report(report: NodeReport): Promise<void>;
  /** What is lost of it is lost. */
  tellLogs(logs: LogsWritten): void;
  /** What is lost of it is lost. */
  tellProgress(progress: TaskProgressed): void;
};

type RunningLease = {
  readonly stop: AbortController;
  /** Aborts when its program is to keep its state and end, where it can. */
  readonly notice: AbortController;
  /** Aborts when nobody wants what it has made. */
  readonly lost: AbortController;
  readonly done: Promise<void>;
  readonly timer: DeadlineTimer;
  readonly canKeep: boolean;
  readonly isInterruptible: boolean;
  readonly startedAtMs: number;
  /** Once its node has given it up. */
  eviction?: LeaseEvicted;
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
    for (const [leaseId, running] of this.#running) this.#compare(running, desired.get(leaseId), leaseId);
    for (const leaseId of this.#options.journal.leaseIds()) {
      if (!desired.has(leaseId)) await this.#options.journal.forget(leaseId);
    }
    for (const assignment of desired.values()) this.#look(assignment);
  }

  /** What runs here and was not given up, for who has to choose. */
  evictable(): readonly Evictable[] {
    return [...this.#running]
      .filter(([, { eviction }]) => eviction === undefined)
      .map(([leaseId, { isInterruptible, canKeep, startedAtMs }]) => ({
        ...{ leaseId, isInterruptible, canKeep, startedAtMs },
      }));
  }

  /**
   * Ends a lease as failed at this node, once its program has had a moment to keep its state where it can. Resolves
   * when nothing of it runs any more.
   */
  async evict(leaseId: string, why: string): Promise<void> {
    const running = this.#running.get(leaseId);
    if (!running || running.eviction) return;
    running.eviction = new LeaseEvicted(why);
    running.notice.abort();
    const ended = new AbortController();
    const end = () => ended.abort();
    running.done.then(end, end);
    if (running.canKeep) await delay(NOTICE_OF_EVICTION_MS, ended.signal);
    running.stop.abort(running.eviction);
    await running.done;
  }

  /**
   * Stops all tasks; their leases stay open and run again after a restart, if they are still wanted then. Who can keep
   * its state gets a moment to.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const done = Promise.all([...this.#running.values()].map(lease => lease.done));
    for (const { notice, stop, canKeep } of this.#running.values())
      if (canKeep) notice.abort();
      else stop.abort(new LeaseStopped('the agent stops'));
    const allDone = new AbortController();
    const end = () => allDone.abort();
    done.then(end, end);
    await delay(NOTICE_OF_AGENT_MS, allDone.signal);
    for (const { stop } of this.#running.values()) stop.abort(new LeaseStopped('the agent stops'));
    await done;
    await Promise.all(this.#reporting.values());
  }

  #compare(
    { stop, lost, notice, timer }: RunningLease,
    wanted: Assignment | undefined,
    leaseId: string,
  ): void {
    const { log } = this.#options;
    if (!wanted) {
      lost.abort();
      return stop.abort(new LeaseStopped('the lease was taken back'));
    }
    const endsAt = endOf(wanted);
    if (timer.moveTo(endsAt))
      log.info('the lease has another deadline', { leaseId, deadline: endsAt.toISOString() });
    if (wanted.stopBy && !notice.signal.aborted) {
      log.info('the lease is under notice', { leaseId, stopBy: wanted.stopBy.toISOString() });
      notice.abort();
    }
  }

  #look(assignment: Assignment): void {
    const { leaseId, checkpoints, stopBy } = assignment;
    const ended = this.#options.journal.ended(leaseId);
    if (ended) {
      const isDue = ended.reportedAtMs === undefined || Date.now() - ended.reportedAtMs > REPORT_AGAIN_MS;
      if (isDue) this.#report(ended.report);
      return;
    }
    const isFull = this.#running.size >= this.#options.tasksMax;
    const endsAt = endOf(assignment);
    if (isFull || this.#running.has(leaseId) || endsAt.getTime() <= Date.now()) return;
    const canKeep = checkpoints !== undefined;
    // What it has kept is worth more on a node where it has time.
    if (canKeep && stopBy) return;
    const [stop, notice, lost] = [new AbortController(), new AbortController(), new AbortController()];
    const timer = new DeadlineTimer(endsAt, () => stop.abort(new LeaseStopped('the deadline has passed')));
    const signals = { stop, notice, lost };
    const evicted = () => this.#running.get(leaseId)?.eviction;
    const done = this.#run(assignment, signals, evicted).finally(() => {
      timer.clear();
      this.#running.delete(leaseId);
      // There is room for another one now.
      return this.reconcile();
    });
    const isInterruptible = assignment.isInterruptible === true;
    const startedAtMs = performance.now();
    this.#running.set(leaseId, { ...signals, done, timer, canKeep, isInterruptible, startedAtMs });
  }

  async #run(
    assignment: Assignment,
    { stop, notice, lost }: Pick<RunningLease, 'stop' | 'notice' | 'lost'>,
    evicted: () => LeaseEvicted | undefined,
  ): Promise<void> {
    const { log, content, runtime } = this.#options;
    const { poolId, leaseId, fencingToken, taskId } = assignment;
    const started = () =>
      this.#options.report({ type: 'TaskStarted', data: { poolId, leaseId, fencingToken } });
    const told = (data: TaskCheckpointed) => this.#options.report({ type: 'TaskCheckpointed', data });
    const keeper = new CheckpointKeeper(
      assignment,
      { content, log, report: told },
      // A program that cannot keep its state goes on until the end of a notice.
      assignment.checkpoints ? notice.signal : new AbortController().signal,
      lost.signal,
    );
    const progress = new ProgressTeller(far => this.#options.tellProgress({ poolId, leaseId, ...far }));
    const logs = new LogSender(
      lines => this.#options.tellLogs({ poolId, leaseId, ...lines }),
      far => progress.set(far),
    );
    const follower: Follower = {
      notice: keeper.notice,
      keep: bytes => keeper.keep(bytes),
      untilNext: () => keeper.untilNext(),
      // What is written about encrypted data may be that data, and logs go to the platform in clear.
      write: (source, bytes) => (assignment.encryption ? undefined : logs.write(source, bytes)),
    };
    const identities = () => this.#options.identities();
    const execution = { content, runtime, started, follower, identities };
    try {
      const report = await this.#execute(assignment, execution, stop.signal);
      // Before the end is reported: of a lease that has ended nothing is heard.
      progress.close();
      stop.signal.throwIfAborted();
      await this.#end(report, taskId);
    } catch (error) {
      progress.close();
      const eviction = evicted();
      if (eviction) return await this.#end(failedReport(assignment, 'the node runs short', eviction), taskId);
      // The lease has not ended; if it is still wanted, a later look runs it again.
      log.warn('task stopped', { leaseId, taskId, reason: reasonOf(error) });
    } finally {
      logs.close();
    }
  }

  async #end(report: EndReport, taskId: string): Promise<void> {
    const { log, journal } = this.#options;
    await journal.record({ report, reportedAtMs: undefined });
    crashPoint('before-end-report');
    this.#report(report);
    const what = report.type === 'TaskCompleted' ? 'task completed' : 'task failed';
    log.info(what, { leaseId: report.data.leaseId, taskId, ...said(report) });
  }

  async #execute(assignment: Assignment, execution: Execution, signal: AbortSignal): Promise<EndReport> {
    const { attestations, replica } = assignment;
    const { attestationClaimed } = this.#options;
    // The tenant was promised a machine of another kind: it may have changed since its evidence was accepted.
    if (attestations.length > 0 && !(attestationClaimed && attestations.includes(attestationClaimed)))
      return failedReport(
        assignment,
        'this machine cannot prove what the task needs',
        attestations.join(', '),
      );
    return replica
      ? this.#runReplica(assignment, replica, execution, signal)
      : executeLease(assignment, execution, signal);
  }

  #runReplica(
    assignment: Assignment,
    first: ReplicaOrders,
    execution: Execution,
    signal: AbortSignal,
  ): Promise<EndReport> {
    const { log, endpoints } = this.#options;
    const orders = () => this.#desired?.get(assignment.leaseId)?.replica ?? first;
    const report = (told: NodeReport) => this.#options.report(told);
    const { server } = first;
    return server
      ? executeServer(assignment, server, { ...execution, log, orders, report, endpoints }, signal)
      : executeReplica(assignment, { ...execution, log, orders, report }, signal);
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

const endOf = ({ deadline, stopBy, checkpoints }: Assignment): Date =>
  stopBy && checkpoints ? new Date(stopBy.getTime() - LAST_CHECKPOINT_MS) : deadline;

const said = (report: EndReport) =>
  report.type === 'TaskCompleted' ? { fault: report.data.fault } : { reason: report.data.reason };
