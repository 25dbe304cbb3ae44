import { expect, test } from '@jest/globals';
import type { Message } from '@astro/event-sourcing/decider';
import type { AggregateType, Recorded } from '@astro/event-sourcing/recorded';
import type { ListedDeadLetter } from '@astro/jetstream/dead-letters';
import {
  lostWrites,
  notEndedOnce,
  notOnChain,
  notSucceeded,
  recordedTwice,
  settledTwice,
  stillReserved,
  unbalanced,
  wrongDeadLetters,
} from './invariants.js';

let position = 0;
const recorded = (
  type: AggregateType,
  id: string,
  event: Message,
  causationId = `cmd_${position}`,
): Recorded => ({
  id: `evt_${++position}`,
  aggregate: { type, id },
  event,
  position,
  recordedAt: new Date(position),
  metadata: { correlationId: 'c', causationId, actor: 'service:spec' },
});
const job = (id: string, type: string) => recorded('scheduling.job', id, { type, data: {} });
const account = (type: string, data: object, causationId?: string) =>
  recorded('billing.account', 'tenant_1', { type, data }, causationId);
const posting = (name: string, amountAtto: bigint) => ({ account: name, amountAtto });
const details = (breaches: readonly { invariant: string; detail: string }[]) =>
  breaches.map(({ invariant, detail }) => `${invariant} ${detail}`);

test('I1: an event whose postings do not sum to zero is named, and so is the ledger', () => {
  const sound = account('FundsReserved', { postings: [posting('a', 5n), posting('b', -5n)] });
  expect(unbalanced([sound])).toEqual([]);
  const wrong = account('TaskCharged', { postings: [posting('a', 5n), posting('b', -4n)] });
  expect(details(unbalanced([sound, wrong]))).toEqual([
    `I1 TaskCharged ${wrong.id} sums to 1`,
    'I1 the ledger sums to 1',
  ]);
});

test('I2 and I6: a job ends once', () => {
  const events = [
    ...['JobSubmitted', 'JobSucceeded'].map(type => job('good', type)),
    ...['JobSubmitted', 'JobFailed', 'JobCancelled'].map(type => job('twice', type)),
    job('open', 'JobSubmitted'),
  ];
  expect(details(notEndedOnce(events))).toEqual([
    'I2 twice ended 2 times: JobFailed, JobCancelled',
    'I6 open is still open',
  ]);
});

test('a job that was submitted after healing has to succeed', () => {
  expect(notSucceeded([job('last', 'JobSubmitted'), job('last', 'JobSucceeded')], 'last')).toEqual([]);
  expect(details(notSucceeded([job('last', 'JobFailed'), job('other', 'JobSucceeded')], 'last'))).toEqual([
    'liveness last, submitted after healing, came to JobFailed',
  ]);
});

test('I5: a task is charged once and nothing stays reserved', () => {
  const charge = { jobId: 'j', taskId: 't', postings: [] };
  expect(details(settledTwice([account('TaskCharged', charge), account('TaskCharged', charge)]))).toEqual([
    'I5 TaskCharged j t: 2 times',
  ]);
  expect(
    settledTwice([account('TaskCharged', charge), account('TaskCharged', { ...charge, taskId: 'u' })]),
  ).toEqual([]);
  const reserve = account('FundsReserved', { postings: [posting('tenant:1:reserved', 7n)] });
  const release = account('FundsReleased', { postings: [posting('tenant:1:reserved', -7n)] });
  expect(stillReserved([reserve, release])).toEqual([]);
  expect(details(stillReserved([reserve]))).toEqual(['I5 tenant:1:reserved holds 7']);
});

test('I4 and I5: Escrow holds what the ledger says, and all that was charged is settled there', () => {
  const credited = account('AccountCredited', { postings: [posting('escrow:custody', -100n)] });
  const charge = account('TaskCharged', { postings: [posting('tenant:1:reserved', -10n)] });
  const settlement = (type: string, data: object) =>
    recorded('billing.settlement', '31337', { type, data: { batchId: 'b', ...data } });
  const sealed = settlement('BatchSealed', { netAtto: 7n, burnedAtto: 1n, toTreasuryAtto: 2n });
  const settled = settlement('BatchSettled', { postings: [posting('escrow:custody', 3n)] });
  expect(notOnChain([credited, charge, sealed, settled], 97n)).toEqual([]);
  expect(details(notOnChain([credited, charge, sealed], 97n))).toEqual([
    'I4 Escrow holds 97, by the ledger 100',
    'I5 10 were charged, 0 are settled',
  ]);
  const halted = settlement('SettlementHalted', { differences: [{ reference: 'tenant_1/credit_1' }] });
  expect(details(notOnChain([credited, charge, sealed, settled, settled, halted], 94n))).toEqual([
    'I4 settlement was halted by tenant_1/credit_1',
    'I5 1 batches were settled 2 times',
  ]);
});

test('I7: what was acknowledged is in the stream', () => {
  const events = [job('kept', 'JobSubmitted'), account('FundsTransferred', { postings: [] }, 'cmd_kept')];
  const lost = lostWrites(events, [
    { what: 'job', id: 'kept' },
    { what: 'job', id: 'lost' },
    { what: 'transfer', commandId: 'cmd_kept', position: events[1]!.position },
    { what: 'transfer', commandId: 'cmd_lost', position: events[1]!.position },
  ]);
  expect(details(lost)).toEqual([
    'I7 lost was acknowledged and is lost',
    `I7 transfer cmd_lost was acknowledged at ${events[1]!.position} and is lost`,
  ]);
});

test('I8: an event stands in the stream once', () => {
  const event = job('j', 'JobQueued');
  expect(recordedTwice([event, job('j', 'JobQueued')])).toEqual([]);
  expect(details(recordedTwice([event, { ...event, position: 9_999 }]))).toEqual([
    `I8 JobQueued ${event.id} stands at ${event.position} and 9999`,
  ]);
});

test('each poisoned message is a dead letter, and nothing else is', () => {
  const letter = (sequence: number): ListedDeadLetter => ({
    position: sequence,
    recordedAt: new Date(0),
    letter: {
      stream: 'CMD_BILLING',
      sequence,
      subject: `s${sequence}`,
      reason: 'why',
      consumer: 'c',
      deliveries: 1,
      payload: new Uint8Array(),
      headers: {},
    },
  });
  const dose = { poison: 'command of an unknown type', stream: 'CMD_BILLING' } as const;
  expect(wrongDeadLetters([letter(1)], [{ ...dose, position: 1 }])).toEqual([]);
  expect(details(wrongDeadLetters([letter(1)], [{ ...dose, position: 2 }]))).toEqual([
    'poison a dead letter that was no poison: s1: why',
    'poison command of an unknown type (CMD_BILLING 2) is no dead letter',
  ]);
});
