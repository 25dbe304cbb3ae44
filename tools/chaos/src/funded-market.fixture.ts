import type { Decider, Message } from '@astro/event-sourcing/decider';
import type { Recorded, AggregateRef } from '@astro/event-sourcing/recorded';
import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import { account } from '@astro/billing/account/account';
import type { Account } from '@astro/billing/account/state';
import { chargeSucceededTasks } from '@astro/billing/charge-succeeded-tasks.reactor';
import { extendReservations } from '@astro/billing/extend-reservations.reactor';
import { releaseAfterJobs } from '@astro/billing/release-after-jobs.reactor';
import { reserveForSubmittedJobs } from '@astro/billing/reserve-for-submitted-jobs.reactor';
import { workCostAtto } from '@astro/matching/cost';
import type { Grant, JobEvent, PoolEvent } from '@astro/messages/scheduling';
import { actOnVerdicts } from '@astro/scheduling/act-on-verdicts.reactor';
import { failAbandonedJobs } from '@astro/scheduling/fail-abandoned-jobs.reactor';
import { followExtensions } from '@astro/scheduling/follow-extensions.reactor';
import { followJobs } from '@astro/scheduling/follow-jobs.reactor';
import { job, type Job } from '@astro/scheduling/job/job';
import { pool } from '@astro/scheduling/pool/pool';
import type { Pool } from '@astro/scheduling/pool/pool-state';
import { queueFundedJobs } from '@astro/scheduling/queue-funded-jobs.reactor';
import { tellOfShortages } from '@astro/scheduling/tell-of-shortages.reactor';

export const poolId = 'main';
export const tenantId = 'tenant_1';

const reactors: readonly Reactor[] = [
  reserveForSubmittedJobs,
  chargeSucceededTasks(() => ({ feeBps: 250, burnBps: 2_000 })),
  releaseAfterJobs,
  extendReservations,
  queueFundedJobs,
  followJobs(poolId),
  failAbandonedJobs,
  followExtensions(poolId),
  tellOfShortages,
  actOnVerdicts,
] as readonly Reactor[];
/** What these send may arrive in any order; the others keep that of what they read. */
const ANY_ORDER: ReadonlySet<string> = new Set([
  extendReservations.name,
  followExtensions(poolId).name,
  tellOfShortages.name,
]);

type AnyState = { state: unknown; readonly decider: Decider<unknown, Message, Message> };

/**
 * The deciders and the reactors of jobs and their money, without a bus: whoever drives it says what arrives next, and
 * what arrives again.
 */
export class FundedMarket {
  readonly #aggregates = new Map<string, AnyState>();
  readonly #lanes = new Map<string, Directed[]>();
  readonly #sent: Directed[] = [];
  #position = 0;
  nowMs = Date.UTC(2026, 0, 1);
  readonly events: Message[] = [];
  readonly grants: Grant[] = [];
  /** What verified tasks cost, by job and task; nothing more once they are charged. */
  readonly #uncharged = new Map<string, bigint>();

  get account(): Account {
    return this.#of({ type: 'billing.account', id: tenantId }).state as Account;
  }

  get pool(): Pool {
    return this.#of({ type: 'scheduling.pool', id: poolId }).state as Pool;
  }

  job(jobId: string): Job {
    return this.#of({ type: 'scheduling.job', id: jobId }).state as Job;
  }

  get pending(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.length, 0);
  }

  /** @returns whether anything came of it */
  tell(command: Directed): boolean {
    const aggregate = this.#of(command.to);
    const decision = aggregate.decider.decide(command, aggregate.state);
    if (!decision.accepted) return false;
    for (const event of decision.events) {
      aggregate.state = aggregate.decider.evolve(aggregate.state, event);
      this.#record(command.to, event);
    }
    return decision.events.length > 0;
  }

  /** Something of what is on its way arrives. */
  deliver(choice: number): void {
    const lanes = [...this.#lanes].filter(([, lane]) => lane.length > 0);
    const [name, lane] = lanes[choice % Math.max(1, lanes.length)] ?? [];
    if (!name || !lane) return;
    const [reactor] = name.split(' ');
    const at = ANY_ORDER.has(reactor!) ? choice % lane.length : 0;
    const [command] = lane.splice(at, 1);
    this.#sent.push(command!);
    this.tell(command!);
  }

  /** Something that has arrived before. */
  deliverAgain(choice: number): void {
    const command = this.#sent[choice % Math.max(1, this.#sent.length)];
    if (command) this.tell(command);
  }

  /** The most that what runs of the job, and what of it was verified, can cost the tenant. */
  mostOfRunning(jobId: string, mostOfTask: bigint): bigint {
    const tasks = [...(this.pool.jobs.get(jobId)?.tasks.values() ?? [])];
    const verified = [...this.#uncharged].filter(([key]) => key.startsWith(`${jobId} `));
    const isVerified = (taskId: string) => this.#uncharged.has(`${jobId} ${taskId}`);
    const isUnjudged = ({ live, completed, spec }: (typeof tasks)[number]) =>
      live + completed > 0 && !isVerified(spec.taskId);
    return verified.reduce(
      (sum, [, costAtto]) => sum + costAtto,
      mostOfTask * BigInt(tasks.filter(isUnjudged).length),
    );
  }

  #of(to: AggregateRef): AnyState {
    const key = `${to.type} ${to.id}`;
    const decider = { 'billing.account': account, 'scheduling.pool': pool, 'scheduling.job': job }[
      to.type as string
    ];
    if (!decider) throw new Error(`${to.type} has no rules here`);
    const known = this.#aggregates.get(key) ?? { state: decider.initialState, decider };
    this.#aggregates.set(key, known);
    return known;
  }

  #record(aggregate: AggregateRef, event: Message): void {
    this.#position += 1;
    this.events.push(event);
    const recorded = {
      id: `event_${this.#position}`,
      aggregate,
      event,
      position: this.#position,
      recordedAt: new Date(this.nowMs),
      metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
    };
    this.#react(recorded);
    const { type, data } = event as JobEvent | PoolEvent;
    if (type === 'LeasesGranted') this.grants.push(...data.grants);
    if (type === 'LeaseCompleted') this.#verify(data);
    if (event.type === 'TaskCharged') {
      const { jobId, taskId } = event.data as { jobId: string; taskId: string };
      this.#uncharged.set(`${jobId} ${taskId}`, 0n);
    }
  }

  #react(recorded: Recorded): void {
    for (const reactor of reactors) {
      if (!reactor.reads.includes(recorded.aggregate.type)) continue;
      const lane = `${reactor.name} ${recorded.aggregate.id}`;
      const commands = reactor.react(recorded);
      this.#lanes.set(lane, [...(this.#lanes.get(lane) ?? []), ...commands]);
    }
  }

  /** One result is enough in these jobs. */
  #verify({ jobId, taskId, result }: Extract<PoolEvent, { type: 'LeaseCompleted' }>['data']): void {
    this.#uncharged.set(`${jobId} ${taskId}`, workCostAtto([result]));
    const { digest, fault, outputs } = result;
    const verdict = {
      poolId,
      jobId,
      taskId,
      policy: 'quorum/1',
      digest,
      fault,
      outputs,
      agreed: [result],
      refuted: [],
    };
    this.#record({ type: 'verification.task', id: taskId }, { type: 'ResultVerified', data: verdict });
  }
}
