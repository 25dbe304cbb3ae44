import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccusationCommand, AccusationEvent, CaseStatus } from '@astro/messages/verification';
import fc from 'fast-check';
import { accusation } from './accusation.js';

const given = specify(accusation);
const faultId = 'fault_1';
const accused = {
  ...{ faultId, kind: 'refuted_result', rules: 'faults/1', jobId: 'job_1', taskId: 'task_1' },
  ...{ leaseId: 'lease_1', nodeId: 'node_1', operatorId: 'operator_1' },
};
const recorded: AccusationEvent = { type: 'FaultRecorded', data: { accused } };
const terms = { faultId, evidence: '0x1', chainId: 31_337, address: '0x2', fractionBps: 500 };
const prepared: AccusationEvent = { type: 'AccusationPrepared', data: terms };
const opened = { faultId, caseId: '7', disputeEndsAt: new Date(1_000) };
const sent: AccusationEvent = { type: 'AccusationSent', data: opened };
const decision = { faultId, isRight: true, reason: 'it holds' };
const decided: AccusationEvent = { type: 'CaseDecided', data: decision };
const waiver = { faultId, reason: 'nothing is staked' };
const closed: AccusationEvent = { type: 'CaseClosed', data: { faultId, status: 'slashed', slashedAtto: 5n } };

const record: AccusationCommand = { type: 'RecordFault', data: { accused } };
const prepare = (change: Partial<typeof terms> = {}): AccusationCommand => ({
  type: 'PrepareAccusation',
  data: { ...terms, ...change },
});
const note = (caseId = '7'): AccusationCommand => ({ type: 'NoteAccusation', data: { ...opened, caseId } });
const decide = (isRight = true): AccusationCommand => ({
  type: 'DecideCase',
  data: { ...decision, isRight },
});
const follow = (status: CaseStatus): AccusationCommand => ({
  type: 'FollowCase',
  data: { faultId, status, slashedAtto: 5n },
});

describe('a fault', () => {
  test('is recorded', () => given().when(record).then(recorded));
  test('is recorded once', () => given(recorded).when(record).thenNothing());
  test('has one lease', () =>
    given(recorded)
      .when({ type: 'RecordFault', data: { accused: { ...accused, leaseId: 'lease_2' } } })
      .thenRejected('FaultIsAnother'));
  test('of whoever has no stake stays on record', () =>
    given(recorded)
      .when({ type: 'WaiveAccusation', data: waiver })
      .then({ type: 'AccusationWaived', data: waiver }));
  test('that is waived accuses nobody', () =>
    given(recorded, { type: 'AccusationWaived', data: waiver })
      .when(prepare())
      .thenRejected('AccusationIsWaived'));
});

describe('an accusation', () => {
  test('is prepared before it is sent', () => given(recorded).when(prepare()).then(prepared));
  test('is not sent unprepared', () => given(recorded).when(note()).thenRejected('AccusationIsNotPrepared'));
  test('stays what was prepared', () =>
    given(recorded, prepared)
      .when(prepare({ evidence: '0x9' }))
      .thenRejected('AccusationDiffers'));
  test('that may be on its way is not waived', () =>
    given(recorded, prepared)
      .when({ type: 'WaiveAccusation', data: waiver })
      .thenRejected('AccusationIsPrepared'));
  test('has its case', () => given(recorded, prepared).when(note()).then(sent));
  test('has one case', () => given(recorded, prepared, sent).when(note('8')).thenRejected('CaseIsAnother'));
});

describe('a case', () => {
  const onChain = given(recorded, prepared, sent);
  test('is decided', () => onChain.when(decide()).then(decided));
  test('is decided once', () =>
    given(recorded, prepared, sent, decided).when(decide(false)).thenRejected('CaseIsDecided'));
  test('is not decided before it is on chain', () =>
    given(recorded, prepared).when(decide()).thenRejected('AccusationIsNotSent'));
  test('is not decided after its end', () =>
    given(recorded, prepared, sent, closed).when(decide()).thenRejected('CaseIsClosed'));
  test('goes on as the chain has it', () =>
    onChain.when(follow('upheld')).then({ type: 'CaseMoved', data: { faultId, status: 'upheld' } }));
  test('ends as the chain has it', () => onChain.when(follow('slashed')).then(closed));
  test('that has not moved changes nothing', () => onChain.when(follow('open')).thenNothing());
  test('is never opened again', () =>
    given(recorded, prepared, sent, closed).when(follow('open')).thenRejected('CaseIsClosed'));
});

test('whatever is asked, a fault is accused of once, has one case, one decision and one end', () => {
  const statuses = ['open', 'upheld', 'appealed', 'slashed', 'dismissed', 'overturned', 'expired'] as const;
  const anyCommand = fc.oneof(
    fc.constant(record),
    fc.constantFrom('0x1', '0x9').map(evidence => prepare({ evidence })),
    fc.constant<AccusationCommand>({ type: 'WaiveAccusation', data: waiver }),
    fc.constantFrom('7', '8').map(note),
    fc.boolean().map(decide),
    fc.constantFrom(...statuses).map(follow),
  );
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), commands => {
      let state = accusation.initialState;
      const events: AccusationEvent[] = [];
      for (const command of commands) {
        const outcome = accusation.decide(command, state);
        if (!outcome.accepted) continue;
        events.push(...outcome.events);
        state = outcome.events.reduce(accusation.evolve, state);
      }
      const types = events.map(({ type }) => type).filter(type => type !== 'CaseMoved');
      expect(types.length).toBe(new Set(types).size);
      expect(types.includes('AccusationWaived') && types.includes('AccusationPrepared')).toBe(false);
    }),
  );
});
