import type { Projection } from '@astro/event-sourcing/projection';
import type { AuditClosed, AuditEvent } from '@astro/messages/verification';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/** What became of the audits that each validator was drawn for. */
export const ValidatorRecord = defineEntity({
  name: 'ValidatorRecord',
  schema: 'verification',
  tableName: 'validator_records',
  properties: p => ({
    validatorId: p.text().primary(),
    correct: p.integer(),
    wrong: p.integer(),
    missed: p.integer(),
    /** Of these, planted tasks: those that it was awake at, and the others. */
    plantedAwake: p.integer(),
    plantedAsleep: p.integer(),
    lastAuditAt: p.datetime(),
    position: p.bigint('number'),
  }),
});
export type ValidatorRecord = InferEntity<typeof ValidatorRecord>;

export const validatorRecords: Projection<AuditEvent, EntityManager> = {
  name: 'verification.validator-records',
  version: 1,
  tables: ['validator_records'],
  reads: ['verification.audit'],
  ...folding<AuditEvent, ValidatorRecord>(ValidatorRecord, {
    keysOf: ({ type, data }) =>
      type === 'AuditClosed' ? [...new Set([...data.correct, ...data.wrong, ...data.missing])] : [],
    evolve(row, { event, position, recordedAt: lastAuditAt }, validatorId) {
      if (event.type !== 'AuditClosed' || (row && position <= row.position)) return row;
      return { ...counted(row ?? { ...newcomer, validatorId }, event.data), lastAuditAt, position };
    },
  }),
};

const newcomer = { correct: 0, wrong: 0, missed: 0, plantedAwake: 0, plantedAsleep: 0 };
type Counts = typeof newcomer & { readonly validatorId: string };

function counted(counts: Counts, { correct, wrong, missing, reason, outcome }: AuditClosed): Counts {
  const { validatorId } = counts;
  const one = (ids: readonly string[]) => (ids.includes(validatorId) ? 1 : 0);
  const isTold = reason === 'planted' && outcome !== 'inconclusive';
  return {
    validatorId,
    correct: counts.correct + one(correct),
    wrong: counts.wrong + one(wrong),
    missed: counts.missed + one(missing),
    plantedAwake: counts.plantedAwake + (isTold ? one(correct) : 0),
    plantedAsleep: counts.plantedAsleep + (isTold ? Math.max(one(wrong), one(missing)) : 0),
  };
}
