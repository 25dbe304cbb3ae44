import { Atto } from '@astro/postgres/atto';
import { defineEntity, type InferEntity } from '@mikro-orm/postgresql';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';

/** The locked shares: who receives what from when on, and what of it has been released. */
export const VestingSchedule = defineEntity({
  name: 'VestingSchedule',
  schema: 'chain',
  tableName: 'vesting_schedules',
  properties: p => ({
    scheduleId: p.text().primary(),
    beneficiary: p.text(),
    amountAtto: p.type(Atto),
    /** In seconds since 1970. */
    start: p.bigint('number'),
    cliffSeconds: p.bigint('number'),
    durationSeconds: p.bigint('number'),
    isRevocable: p.boolean(),
    isRevoked: p.boolean(),
    releasedAtto: p.type(Atto),
    /** What went back to the treasury. */
    returnedAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type VestingSchedule = InferEntity<typeof VestingSchedule>;
export const VestingScheduleUndo = undoOf('vesting_schedules');

const schedules: MirroredTable<VestingSchedule> = {
  entity: VestingSchedule,
  undo: VestingScheduleUndo,
  keysOf: fact =>
    /^vesting\.(Scheduled|Released|Revoked|BeneficiaryChanged)$/.test(fact.name)
      ? [`${fact.amount('id')}`]
      : [],
  evolve(row, fact, scheduleId) {
    if (fact.name === 'vesting.Scheduled')
      return {
        ...{ scheduleId, beneficiary: fact.address('beneficiary'), amountAtto: fact.amount('amount') },
        ...{ start: fact.number('start'), cliffSeconds: fact.number('cliffSeconds') },
        ...{ durationSeconds: fact.number('durationSeconds'), isRevocable: fact.flag('revocable') },
        ...{ isRevoked: false, releasedAtto: 0n, returnedAtto: 0n },
      };
    if (row === undefined) return undefined;
    switch (fact.name) {
      case 'vesting.Released':
        return { ...row, releasedAtto: row.releasedAtto + fact.amount('amount') };
      case 'vesting.Revoked':
        return { ...row, isRevoked: true, returnedAtto: fact.amount('returned') };
    }
    return { ...row, beneficiary: fact.address('to') };
  },
};

export const vesting = mirrored('chain.vesting', [filling(schedules)]);
