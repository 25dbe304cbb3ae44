import { derivedId } from '@astro/event-sourcing/ids';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { EventStore } from '@astro/jetstream/event-store';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Unit } from '@astro/jetstream/shared-work';
import type { AuditCommand, AuditEvent, AuditFlaw } from '@astro/messages/verification';
import { openAudits, type Audit as AuditRow } from '@astro/read-models/verification/audits';
import { chainProgress, firstFinalBlock } from '@astro/read-models/verification/validator-stakes';
import { candidatesFor } from '@astro/read-models/verification/validators';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { DigestOf } from '../commit-reveal/commit-reveal.js';
import type { Audit, AuditRejection } from './audit.js';
import { secretHashOf } from './draw-validators.js';
import { findAudited } from './audited.reader.js';
import type { OrdersPublisher } from './orders.publisher.js';

export type AuditStore = AggregateStore<Audit, AuditCommand, AuditEvent, AuditRejection>;

export type AuditDeskOptions = {
  readonly audits: AuditStore;
  readonly events: EventStore;
  readonly orders: OrdersPublisher;
  /** A fresh one for each question. */
  em(): EntityManager;
  /** Of a round of a task's audit: the same each time, and known to nobody else until it is told. */
  secretOf(taskId: string, round: number): string;
  readonly digestOf: DigestOf;
  /** How many blocks after the head of now a draw waits for at least. */
  readonly drawAfterBlocks: number;
  /** How long it waits for such a block. */
  readonly drawWithinMs: number;
  readonly pollMs: number;
  readonly log: Log;
};

/** Of one round. */
const auditsAtOnce = 200;
/** The highest stakes, of which all are recorded with the draw. */
const candidatesMax = 256;
/** What a node must offer: only WebAssembly gives everybody the same. */
const runtime = 'wasm';
/** What the bus took in time may be decided a moment later: nobody is missing for that. */
const graceMs = 1_000;

/** Takes audits from step to step where a clock, the chain or a secret is needed: one process at a time. */
export const auditDeskUnit = (options: AuditDeskOptions): Unit => ({
  name: 'audit-desk',
  open: () =>
    new Rounds({
      round: signal => advanceAll(options, signal),
      pollMs: options.pollMs,
      failed: (error, failures) =>
        options.log.error('audits could not be advanced', { reason: reasonOf(error), failures }),
    }),
});

/** One round. What a crash interrupts is found again, and the decider knows what was done. */
async function advanceAll(options: AuditDeskOptions, signal: AbortSignal): Promise<void> {
  const failures: string[] = [];
  const rows = await openAudits(options.em(), auditsAtOnce);
  for (const row of rows) {
    if (signal.aborted) return;
    // One that cannot be advanced does not keep the others waiting.
    await advance(options, row, new Date()).catch((error: unknown) => failures.push(reasonOf(error)));
  }
  await options.orders.publishChanged(
    rows.filter(({ status }) => status === 'drawn'),
    new Date(),
  );
  if (failures.length > 0) throw new Error(`${failures.length} audits failed: ${failures[0]}`);
}

async function advance(options: AuditDeskOptions, row: AuditRow, at: Date): Promise<void> {
  switch (row.status) {
    case 'requested':
      return prepare(options, row, at);
    case 'opened':
      return draw(options, row, at);
    case 'drawn':
      return closeWhenDone(options, row, at);
    case 'closed':
      return;
  }
}

async function prepare(options: AuditDeskOptions, row: AuditRow, at: Date): Promise<void> {
  const { events, em, digestOf, drawAfterBlocks, drawWithinMs } = options;
  const { taskId, round, reason } = row;
  const audited = await findAudited(events, taskId);
  if (!audited) return drop(options, row, 'not_rerunnable');
  const progress = await chainProgress(em());
  if (!progress) {
    if (at.getTime() > row.requestedAt.getTime() + drawWithinMs) await drop(options, row, 'no_block');
    return;
  }
  const secret = options.secretOf(taskId, round);
  const planted = { claimedDigest: digestOf(`planted ${secret}`), trueDigest: audited.claimedDigest };
  await send(options, row, {
    type: 'PrepareAudit',
    data: {
      ...{ taskId, round, ...audited, secretHash: secretHashOf(secret, digestOf) },
      drawFromBlock: progress.headNumber + drawAfterBlocks,
      drawUntil: new Date(at.getTime() + drawWithinMs),
      ...(reason === 'planted' && planted),
    },
  });
}

async function draw(options: AuditDeskOptions, row: AuditRow, at: Date): Promise<void> {
  const { taskId, round, drawFromBlock, drawUntil } = row;
  const block = await firstFinalBlock(options.em(), drawFromBlock!);
  if (!block) return at > drawUntil! ? drop(options, row, 'no_block') : undefined;
  const secret = options.secretOf(taskId, round);
  if (secretHashOf(secret, options.digestOf) !== row.secretHash) return drop(options, row, 'secret_lost');
  const candidates = await candidatesFor(options.em(), runtime, candidatesMax);
  const { number: blockNumber, hash: blockHash } = block;
  await send(options, row, {
    type: 'DrawValidators',
    data: { taskId, round, blockNumber, blockHash, secret, candidates, at },
  });
}

/** The table may lag, which the decider sees: an audit that goes on is looked at again. */
async function closeWhenDone(options: AuditDeskOptions, row: AuditRow, at: Date): Promise<void> {
  const { taskId, round, committed, revealed, commitUntil, revealUntil } = row;
  const isOver = (until: Date) => at.getTime() > until.getTime() + graceMs;
  const isWhole = committed.length === row.drawn.length || isOver(commitUntil!);
  const isDone = (isWhole && revealed.length === committed.length) || isOver(revealUntil!);
  if (isDone) await send(options, row, { type: 'CloseAudit', data: { taskId, round, at } });
}

const drop = (options: AuditDeskOptions, row: AuditRow, flaw: AuditFlaw): Promise<void> =>
  send(options, row, { type: 'DropAudit', data: { taskId: row.taskId, round: row.round, flaw } });

async function send({ audits, log }: AuditDeskOptions, row: AuditRow, command: AuditCommand): Promise<void> {
  const { taskId, round } = row;
  const id = derivedId('cmd', 'audit-desk', command.type, taskId, round, row.position);
  const metadata = { correlationId: id, causationId: id, actor: 'service:verification' };
  const outcome = await audits.execute(taskId, command, { commandId: id, metadata });
  if (outcome.accepted || isOfLag(outcome.rejection)) return;
  log.warn(`an audit was not advanced: ${outcome.rejection}`, { taskId, detail: outcome.detail });
}

/** The table lags a moment behind what was just recorded. */
const isOfLag = (rejection: string): boolean => ['AuditIsNotAtThisStep', 'AuditGoesOn'].includes(rejection);
