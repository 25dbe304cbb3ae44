import { hash, randomBytes } from 'node:crypto';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Assignment, AuditOrder, AuditOrders, NodeReport } from '@astro/messages/agent';
import { commitmentText, exchangeOf } from '@astro/messages/commitment';
import type { Content } from '../content/content.js';
import { resultOfRun } from '../runs/result-of-run.js';
import { fetchFiles } from '../reconcile/execute-lease.js';
import type { TaskRunner } from '../runtime/task-runtime.js';
import type { KeptVerdict, VerdictJournal } from './verdict-journal.js';

export type ValidatorOptions = {
  /** Id of the node, and of the validator. */
  readonly nodeId: string;
  readonly journal: VerdictJournal;
  readonly content: Content;
  readonly runtime: TaskRunner;
  /** Resolves when the report is stored. */
  report(report: NodeReport): Promise<void>;
  readonly log: Log;
};

/** 256 bits: nobody guesses what a commitment stands for. */
const SALT_BYTES = 32;

/**
 * Makes what is told equal to what is ordered: runs each task again, commits to what it found, and reveals when it may.
 * Both are said again with each list until the platform takes the audit off it, which changes nothing there.
 */
export class Validator {
  readonly #options: ValidatorOptions;
  readonly #stop = new AbortController();
  #wanted: readonly AuditOrder[] = [];
  /** A long run must not keep others from being revealed in time. */
  #telling: Promise<void> = Promise.resolve();
  #finding: Promise<void> | undefined;
  /** Those that could not be run, until the next list. */
  readonly #failed = new Set<AuditOrder>();

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  want({ orders }: AuditOrders): void {
    this.#wanted = orders;
    this.#failed.clear();
    this.#telling = this.#telling.then(() => this.#tellKnown(orders));
    this.#finding ??= this.#findAll().finally(() => (this.#finding = undefined));
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent stops'));
    await Promise.all([this.#telling, this.#finding]);
  }

  /** Of several lists that came meanwhile only the last counts. */
  async #tellKnown(orders: readonly AuditOrder[]): Promise<void> {
    if (this.#wanted !== orders) return;
    const { journal } = this.#options;
    await this.#trying(undefined, () => journal.keepOnly(orders));
    for (const order of orders) {
      const known = journal.of(order.taskId, order.round);
      if (known) await this.#trying(order, () => this.#tell(order, known));
    }
  }

  /** One at a time. What would be late is not begun: it costs no more than silence. */
  async #findAll(): Promise<void> {
    const { journal } = this.#options;
    const isOpen = (order: AuditOrder) =>
      !order.mayReveal && !this.#failed.has(order) && !journal.of(order.taskId, order.round);
    for (;;) {
      const order = this.#wanted.find(isOpen);
      if (!order || this.#stop.signal.aborted) return;
      const isDone = await this.#trying(order, () => this.#find(order));
      if (!isDone) this.#failed.add(order);
    }
  }

  async #find(order: AuditOrder): Promise<void> {
    const { taskId, round } = order;
    const digest = await this.#run(order);
    const verdict = { taskId, round, digest, salt: randomBytes(SALT_BYTES).toString('hex') };
    await this.#options.journal.keep(verdict);
    await this.#tell(order, verdict);
  }

  async #tell({ taskId, round, mayReveal }: AuditOrder, { digest, salt }: KeptVerdict): Promise<void> {
    const { nodeId, report } = this.#options;
    if (mayReveal) return report({ type: 'AuditRevealed', data: { taskId, round, digest, salt } });
    const commitment = hash('sha256', commitmentText(exchangeOf(taskId, round), nodeId, { digest, salt }));
    await report({ type: 'AuditCommitted', data: { taskId, round, commitment } });
  }

  async #run(order: AuditOrder): Promise<string> {
    const { content, runtime } = this.#options;
    const { signal } = this.#stop;
    const assignment = assignmentOf(order);
    const files = await fetchFiles(assignment, content, signal, { fetchedBytes: 0, uploadedBytes: 0 });
    return (await resultOfRun(await runtime.run(assignment, files, signal))).digest;
  }

  /** Whether it could be done. What could not comes again with the next list. */
  async #trying(order: AuditOrder | undefined, action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      const about = { taskId: order?.taskId, reason: reasonOf(error) };
      if (!this.#stop.signal.aborted) this.#options.log.warn('an audit could not be served', about);
      return false;
    }
  }
}

/** A run like that of a lease, of which nothing is stored. */
function assignmentOf({ taskId, round, work, commitUntil }: AuditOrder): Assignment {
  const ids = { poolId: '', leaseId: `audit_${taskId}_${round}`, jobId: '', taskId, fencingToken: 0 };
  return { ...ids, deadline: commitUntil, ...work, attestations: [] };
}
