import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type {
  AuditClosed,
  AuditEvent,
  AuditFlaw,
  AuditOpened,
  AuditOutcome,
  AuditReason,
  AuditWork,
  Claimant,
  ValidatorsDrawn,
} from '@astro/messages/verification';
import { storedJson, type StoredJson } from '@astro/postgres/stored-json';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

export type AuditStatus = 'requested' | 'opened' | 'drawn' | 'closed';

/** The last audit of each task that validators were to run again. */
export const Audit = defineEntity({
  name: 'Audit',
  schema: 'verification',
  tableName: 'audits',
  indexes: [{ properties: ['status', 'requestedAt'] }],
  properties: p => ({
    taskId: p.text().primary(),
    round: p.bigint('number'),
    reason: p.text().$type<AuditReason>(),
    status: p.text().$type<AuditStatus>(),
    /** Empty until the audit is prepared, as what follows is until it is known. */
    jobId: p.text(),
    claimedDigest: p.text(),
    claimants: p.json<readonly Claimant[]>(),
    work: p.json<StoredJson<AuditWork>>().nullable(),
    secretHash: p.text(),
    drawFromBlock: p.bigint('number').nullable(),
    drawUntil: p.datetime().nullable(),
    blockNumber: p.bigint('number').nullable(),
    blockHash: p.text(),
    secret: p.text(),
    seed: p.text(),
    /** Ids of validators, in the order in which they were drawn. */
    drawn: p.json<readonly string[]>(),
    committed: p.json<readonly string[]>(),
    revealed: p.json<readonly string[]>(),
    commitUntil: p.datetime().nullable(),
    revealUntil: p.datetime().nullable(),
    outcome: p.text().$type<AuditOutcome>().nullable(),
    digest: p.text(),
    correct: p.json<readonly string[]>(),
    wrong: p.json<readonly string[]>(),
    missing: p.json<readonly string[]>(),
    policy: p.text(),
    flaw: p.text().$type<AuditFlaw>().nullable(),
    requestedAt: p.datetime(),
    closedAt: p.datetime().nullable(),
    /** Of the last event that changed the row: an older one, repeated, does not change it back. */
    position: p.bigint('number'),
  }),
});
export type Audit = InferEntity<typeof Audit>;

export const audits: Projection<AuditEvent, EntityManager> = {
  name: 'verification.audits',
  version: 1,
  tables: ['audits'],
  reads: ['verification.audit'],
  ...folding<AuditEvent, Audit>(Audit, {
    keysOf: ({ type, data }) => (type === 'InputRefused' ? [] : [data.taskId]),
    evolve(row, recorded) {
      if (row && recorded.position <= row.position) return row;
      const next = changed(row, recorded);
      return next && next !== row ? { ...next, position: recorded.position } : row;
    },
  }),
};

function changed(row: Audit | undefined, { event, recordedAt }: Recorded<AuditEvent>): Audit | undefined {
  const { type, data } = event;
  if (type === 'AuditRequested') return { ...unknown, ...data, status: 'requested', requestedAt: recordedAt };
  if (row === undefined) return undefined;
  switch (type) {
    case 'AuditOpened':
      return { ...row, ...prepared(data), status: 'opened' };
    case 'ValidatorsDrawn':
      return { ...row, ...drawnIn(data), status: 'drawn' };
    case 'CommitReceived':
      return { ...row, committed: including(row.committed, data.validatorId) };
    case 'RevealReceived':
      return { ...row, revealed: including(row.revealed, data.validatorId) };
    case 'AuditClosed':
      return { ...row, ...judged(data), status: 'closed', closedAt: recordedAt };
    case 'InputRefused':
      return row;
  }
}

const unknown = {
  ...{ jobId: '', claimedDigest: '', claimants: [], work: null, secretHash: '' },
  ...{ drawFromBlock: null, drawUntil: null, blockNumber: null, blockHash: '', secret: '', seed: '' },
  ...{ drawn: [], committed: [], revealed: [], commitUntil: null, revealUntil: null },
  ...{ outcome: null, digest: '', correct: [], wrong: [], missing: [], policy: '', flaw: null },
  ...{ closedAt: null, position: 0 },
};

const prepared = ({ jobId, claimedDigest, claimants, work, ...data }: AuditOpened) => ({
  ...{ jobId, claimedDigest, claimants, work: storedJson(work) },
  ...{ secretHash: data.secretHash, drawFromBlock: data.drawFromBlock, drawUntil: data.drawUntil },
});

const drawnIn = ({ blockNumber, blockHash, secret, seed, drawn, ...data }: ValidatorsDrawn) => ({
  ...{ blockNumber, blockHash, secret, seed, drawn },
  ...{ commitUntil: data.commitUntil, revealUntil: data.revealUntil },
});

const judged = ({ outcome, digest, correct, wrong, missing, policy, flaw }: AuditClosed) => ({
  ...{ outcome, digest, correct, wrong, missing, policy, flaw: flaw ?? null },
});

const including = (ids: readonly string[], id: string): readonly string[] =>
  ids.includes(id) ? ids : [...ids, id];

export const findAudit = (em: EntityManager, taskId: string) => em.findOne(Audit, { taskId });

/** Audits that are not closed, oldest first. */
export const openAudits = (em: EntityManager, limit: number) =>
  em.find(Audit, { status: { $ne: 'closed' } }, { orderBy: { requestedAt: 'asc', taskId: 'asc' }, limit });

/** Those of them for which this validator was drawn, oldest first. */
export async function auditsOf(
  em: EntityManager,
  validatorId: string,
  limit: number,
): Promise<readonly Audit[]> {
  const rows = await em.find(
    Audit,
    { status: 'drawn', drawn: { $contains: [validatorId] } as never },
    { orderBy: { requestedAt: 'asc', taskId: 'asc' }, limit },
  );
  return rows;
}
