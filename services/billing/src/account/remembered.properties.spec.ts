import { equal, ok } from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import type { AccountCommand, AccountEvent } from '@astro/messages/billing';
import fc from 'fast-check';
import { accountRemembering } from './account.js';

const tenantId = 't';
/** So little that most of what is repeated has been forgotten. */
const memory = { credits: 2, transfers: 2, withdrawals: 2, facts: 2, settled: 4 };
const forgetful = accountRemembering(memory);
const fee = { feeBps: 250, burnBps: 2_000 };

/** What follows from the nth event: always the same command, whenever it comes. */
function commandOf(kind: number, n: number): AccountCommand {
  const job = { tenantId, jobId: `job_${n}` };
  const amountAtto = 100n;
  switch (kind) {
    case 0:
      return { type: 'CreditAccount', data: { tenantId, creditId: `c_${n}`, amountAtto, causePosition: n } };
    case 1:
      return { type: 'ReserveFunds', data: { ...job, amountAtto, causePosition: 10 * n } };
    case 2: {
      const lease = { leaseId: 'l', nodeId: 'n', operatorId: 'o', fault: 'none', digest: 'd' } as const;
      const work = [{ ...lease, outputs: [], meteredMs: 1_000, pricePerSecondAtto: 7n }];
      return { type: 'ChargeTask', data: { ...job, taskId: 'task_1', work, ...fee } };
    }
    case 3:
      return { type: 'ReleaseFunds', data: { ...job, expectedCharges: n % 2, causePosition: 10 * n + 5 } };
    default: {
      const requestedAt = new Date(n);
      const to = { toTenantId: 'other', currency: 'ASTRO' };
      return {
        type: 'TransferFunds',
        data: { tenantId, transferId: `tr_${n}`, amountAtto: 3n, ...to, requestedAt },
      };
    }
  }
}

const histories = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 12 })), {
  minLength: 1,
  maxLength: 120,
  size: 'max',
});

function eventsOf(history: readonly (readonly [number, number])[]) {
  let state = forgetful.initialState;
  const events: AccountEvent[] = [];
  let entriesMax = 0;
  for (const [kind, n] of [[0, 1] as const, ...history]) {
    const decision = forgetful.decide(commandOf(kind, n), state);
    if (!decision.accepted) continue;
    events.push(...decision.events);
    for (const event of decision.events) state = forgetful.evolve(state, event);
    entriesMax = Math.max(entriesMax, state.credits.entries.size, state.transfers.entries.size);
    ok(state.settled.weight <= memory.settled);
    const weights = [...state.settled.entries.values()].map(({ weight }) => weight);
    equal(
      state.settled.weight,
      weights.reduce((sum, weight) => sum + weight, 0),
    );
  }
  return { events, entriesMax, state };
}

const keyOf = ({ type, data }: AccountEvent): string | undefined => {
  switch (type) {
    case 'AccountCredited':
      return `credit ${data.creditId}`;
    case 'FundsReserved':
      return `reservation ${data.jobId}`;
    case 'TaskCharged':
      return `charge ${data.jobId} ${data.taskId}`;
    case 'FundsReleased':
      return `release ${data.jobId}`;
    case 'FundsTransferred':
      return `transfer ${data.transferId}`;
  }
  return undefined;
};

test('nothing is done twice, however much was forgotten when it is repeated', () =>
  fc.assert(
    fc.property(histories, history => {
      const keys = eventsOf(history)
        .events.map(keyOf)
        .filter(key => key !== undefined);
      equal(new Set(keys).size, keys.length, keys.join(', '));
    }),
    { numRuns: 2_000 },
  ));

test('no more is remembered than the limits say', () =>
  fc.assert(
    fc.property(histories, history => ok(eventsOf(history).entriesMax <= 2)),
    { numRuns: 500 },
  ));

test('the histories do forget, and repeat what was forgotten', () => {
  const runs = fc.sample(histories, { numRuns: 500, seed: 7 }).map(eventsOf);
  const forgot = runs.filter(
    ({ state }) => state.settled.forgottenUpTo >= 0 && state.credits.forgottenUpTo >= 0,
  );
  const late = runs.flatMap(({ events }) =>
    events.filter(({ type, data }) => type === 'ReservationDeclined' && data.reason === 'too_late'),
  );
  expect(Math.min(forgot.length, late.length)).toBeGreaterThan(50);
});
