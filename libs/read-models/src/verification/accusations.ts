import type { Projection } from '@astro/event-sourcing/projection';
import type { AccusationEvent } from '@astro/messages/verification';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

export type AccusationStatus =
  | 'recorded'
  | 'waived'
  | 'prepared'
  | 'open'
  | 'upheld'
  | 'appealed'
  | 'slashed'
  | 'dismissed'
  | 'overturned'
  | 'expired';

/** Faults on record, and what becomes of each on chain. */
export const Accusation = defineEntity({
  name: 'Accusation',
  schema: 'verification',
  tableName: 'accusations',
  indexes: [{ properties: ['status', 'recordedAt'] }, { properties: ['operatorId', 'recordedAt'] }],
  properties: p => ({
    faultId: p.text().primary(),
    kind: p.text(),
    rules: p.text(),
    jobId: p.text(),
    taskId: p.text(),
    leaseId: p.text(),
    nodeId: p.text(),
    operatorId: p.text(),
    status: p.text().$type<AccusationStatus>(),
    /** Why nobody is accused, or why verification decided as it did; empty without either. */
    reason: p.text(),
    /** Hash of the bundle, and who is accused of how much: empty before it is prepared. */
    evidence: p.text(),
    address: p.text(),
    fractionBps: p.integer(),
    /** Empty before the chain has it. */
    caseId: p.text(),
    /** What verification holds of it; null before it has decided. */
    isRight: p.boolean().nullable(),
    /** When the state on chain ends; null without one. */
    endsAt: p.datetime().nullable(),
    slashedAtto: p.type(Atto),
    recordedAt: p.datetime(),
  }),
});
export type Accusation = InferEntity<typeof Accusation>;

const rows = folding<AccusationEvent, Accusation>(Accusation, {
  keysOf: ({ type, data }) => [type === 'FaultRecorded' ? data.accused.faultId : data.faultId],
  evolve(row, { event: { type, data }, recordedAt }) {
    if (type === 'FaultRecorded')
      return {
        ...{ ...data.accused, status: 'recorded', reason: '', evidence: '', address: '', fractionBps: 0 },
        ...{ caseId: '', isRight: null, endsAt: null, slashedAtto: 0n, recordedAt },
      };
    if (!row) return undefined;
    switch (type) {
      case 'AccusationWaived':
        return { ...row, status: 'waived', reason: data.reason };
      case 'AccusationPrepared': {
        const { evidence, address, fractionBps } = data;
        return { ...row, status: 'prepared', evidence, address, fractionBps };
      }
      case 'AccusationSent':
        return { ...row, status: 'open', caseId: data.caseId, endsAt: data.disputeEndsAt };
      case 'CaseDecided':
        return { ...row, isRight: data.isRight, reason: data.reason };
      case 'CaseMoved':
        return { ...row, status: statusOf(data.status, row), endsAt: data.endsAt ?? null };
      case 'CaseClosed':
        return { ...row, status: statusOf(data.status, row), endsAt: null, slashedAtto: data.slashedAtto };
    }
  },
});

/** No event has a status that is not specified. */
const statusOf = (status: 'unspecified' | AccusationStatus, { status: before }: Accusation) =>
  status === 'unspecified' ? before : status;

export const accusations: Projection<AccusationEvent, EntityManager> = {
  name: 'verification.accusations',
  version: 1,
  tables: ['accusations'],
  reads: ['verification.accusation'],
  ...rows,
};

const unfinished: readonly AccusationStatus[] = ['recorded', 'prepared', 'open', 'upheld', 'appealed'];

/** What is still to be done, the oldest first. @param after where to go on, by the order of the ids */
export const unfinishedAccusations = (em: EntityManager, after: string, limit: number) =>
  em.find(
    Accusation,
    { status: { $in: [...unfinished] }, faultId: { $gt: after } },
    { orderBy: { faultId: 'asc' }, limit },
  );

export const findAccusation = (em: EntityManager, faultId: string) => em.findOne(Accusation, { faultId });

/** Those of an operator's nodes, the last one first. @throws InvalidCursor */
export async function pageOfAccusations(
  em: EntityManager,
  operatorId: string,
  { limit, cursor }: PageQuery,
): Promise<Page<Accusation>> {
  const [time, id] = cursor === undefined ? [] : timeAndIdIn(cursor);
  const before = time && {
    $or: [{ recordedAt: { $lt: time } }, { recordedAt: time, faultId: { $lt: id! } }],
  };
  const rows = await em.find(
    Accusation,
    { operatorId, ...before },
    { orderBy: { recordedAt: 'desc', faultId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, row => [row.recordedAt.toISOString(), row.faultId]);
}
