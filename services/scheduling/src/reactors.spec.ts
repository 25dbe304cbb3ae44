import { describe, expect, test } from '@jest/globals';
import type { Message } from '@astro/event-sourcing/decider';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { Result } from '@astro/messages/scheduling';
import type { ResultVerified } from '@astro/messages/verification';
import { actOnVerdicts } from './act-on-verdicts.reactor.js';
import { failAbandonedJobs } from './fail-abandoned-jobs.reactor.js';
import { followExtensions } from './follow-extensions.reactor.js';
import { followJobs } from './follow-jobs.reactor.js';
import { confirmFundedBookings } from './confirm-funded-bookings.reactor.js';
import { followNodes } from './follow-nodes.reactor.js';
import { followOperators } from './follow-operators.reactor.js';
import { offerOf, specOf } from './pool/pool-examples.js';
import { queueFundedJobs } from './queue-funded-jobs.reactor.js';
import { tellOfShortages } from './tell-of-shortages.reactor.js';

const recordedAt = new Date(1000);

function reaction<Event extends Message>(reactor: Reactor<Event>, event: Event) {
  const type: AggregateType = reactor.reads[0];
  const metadata = { correlationId: 'c', causationId: 'c', actor: 'service:spec' };
  return reactor.react({
    id: 'event_1',
    aggregate: { type, id: 'x' },
    event,
    position: 1,
    recordedAt,
    metadata,
  });
}
const job = { type: 'scheduling.job', id: 'job_1' };
const pool = { type: 'scheduling.pool', id: 'main' };
const of = { poolId: 'main', jobId: 'job_1', taskId: 'task_1' };
const { taskId: _taskId, ...ofJob } = of;
const spec = specOf(['task_1']);
const result: Result = {
  leaseId: 'lease_1',
  nodeId: 'node_a',
  operatorId: 'operator_a',
  fault: 'none',
  digest: 'd',
  outputs: [],
  meteredMs: 7,
  pricePerSecondAtto: 5n,
};

describe('jobs and their money', () => {
  test('a job whose money is reserved is queued', () =>
    expect(
      reaction(queueFundedJobs, {
        type: 'FundsReserved',
        data: { tenantId: 'tenant_1', jobId: 'job_1', postings: [] },
      }),
    ).toEqual([{ to: job, type: 'QueueJob', data: { jobId: 'job_1', reservedAtto: 0n } }]));
  test('a job whose money cannot be reserved fails, and says how much is missing', () =>
    expect(
      reaction(queueFundedJobs, {
        type: 'ReservationDeclined',
        data: { tenantId: 'tenant_1', jobId: 'job_1', requiredAtto: 9n, availableAtto: 2n },
      }),
    ).toEqual([
      {
        to: job,
        type: 'FailJob',
        data: {
          jobId: 'job_1',
          reason: 'insufficient_funds',
          detail: '9 atto are needed, 2 are available',
        },
      },
    ]));
  test('a job that would pass a budget fails by that reason, and names the budget', () => {
    const budget = { budgetId: 'b', leftAtto: 2n };
    const declined = { tenantId: 'tenant_1', jobId: 'job_1', requiredAtto: 9n, availableAtto: 50n };
    const detail = '9 atto are needed, budget b leaves 2';
    expect(
      reaction(queueFundedJobs, {
        type: 'ReservationDeclined',
        data: { ...declined, reason: 'budget', budget },
      }),
    ).toEqual([{ to: job, type: 'FailJob', data: { jobId: 'job_1', reason: 'budget_exceeded', detail } }]);
  });
  test('credit alone moves no job', () =>
    expect(
      reaction(queueFundedJobs, {
        type: 'AccountCredited',
        data: { tenantId: 'tenant_1', creditId: 'c', postings: [] },
      }),
    ).toEqual([]));
});

describe('jobs that are funded stepwise', () => {
  const owner = { tenantId: 'tenant_1', jobId: 'job_1' };
  const reserved = [
    { account: 'tenant:tenant_1:available', amountAtto: -7n },
    { account: 'tenant:tenant_1:reserved', amountAtto: 7n },
  ];
  test('begin with what was reserved for them', () => {
    const event = { type: 'FundsReserved', data: { ...owner, postings: reserved } } as const;
    expect(reaction(queueFundedJobs, event)).toMatchObject([{ data: { reservedAtto: 7n } }]);
    const queued = { ...ofJob, tenantId: 'tenant_1', spec, fundedAtto: 7n };
    expect(reaction(followJobs('main'), { type: 'JobQueued', data: queued })).toMatchObject([
      { to: pool, type: 'QueueTasks', data: { fundedAtto: 7n } },
    ]);
  });
  test('have what was added to it added in the pool', () =>
    expect(
      reaction(followExtensions('main'), {
        type: 'ReservationExtended',
        data: { ...owner, number: 2, postings: reserved },
      }),
    ).toEqual([{ to: pool, type: 'AddFunds', data: { ...ofJob, number: 2, amountAtto: 7n } }]));
  test('are short where it could not be, from the time at which that was decided', () => {
    const amounts = { requiredAtto: 9n, availableAtto: 2n };
    const declined = { ...owner, number: 2, wantedAtto: 20n, ...amounts };
    expect(reaction(followExtensions('main'), { type: 'ExtensionDeclined', data: declined })).toEqual([
      { to: pool, type: 'DeclineFunds', data: { ...ofJob, number: 2, ...amounts, at: recordedAt } },
    ]);
  });
  test('are short of what a budget leaves, however much money there is', () => {
    const amounts = { wantedAtto: 20n, requiredAtto: 9n, availableAtto: 100n };
    const budget = { budgetId: 'digits', leftAtto: 3n };
    const declined = { ...owner, number: 2, ...amounts, reason: 'budget' as const, budget };
    const decline = { requiredAtto: 9n, availableAtto: 3n, budgetId: 'digits', at: recordedAt };
    expect(reaction(followExtensions('main'), { type: 'ExtensionDeclined', data: declined })).toEqual([
      { to: pool, type: 'DeclineFunds', data: { ...ofJob, number: 2, ...decline } },
    ]);
  });
  test('hear of it, and of its end', () => {
    const shortage = { jobId: 'job_1', number: 2, missingAtto: 7n, availableAtto: 2n, stopsAt: recordedAt };
    expect(reaction(tellOfShortages, { type: 'FundsRunOut', data: { poolId: 'main', ...shortage } })).toEqual(
      [{ to: job, type: 'NoteShortage', data: shortage }],
    );
    const added = { ...ofJob, number: 2, amountAtto: 7n };
    expect(reaction(tellOfShortages, { type: 'FundsAdded', data: { ...added, endsShortage: true } })).toEqual(
      [{ to: job, type: 'EndShortage', data: { jobId: 'job_1', number: 2 } }],
    );
    expect(
      reaction(tellOfShortages, { type: 'FundsAdded', data: { ...added, endsShortage: false } }),
    ).toEqual([]);
  });
});

describe('bookings and their money', () => {
  const reactor = confirmFundedBookings('main');
  const booking = { tenantId: 'tenant_1', jobId: 'booking_1' };
  const reserved = { type: 'FundsReserved', data: { ...booking, postings: [] } } as const;
  const declined = {
    type: 'ReservationDeclined',
    data: { ...booking, requiredAtto: 9n, availableAtto: 2n },
  } as const;
  const data = { poolId: 'main', bookingId: 'booking_1' };

  test('a booking whose money is reserved is confirmed', () =>
    expect(reaction(reactor, reserved)).toEqual([{ to: pool, type: 'ConfirmBooking', data }]));
  test('one whose money cannot be is dropped', () =>
    expect(reaction(reactor, declined)).toEqual([
      { to: pool, type: 'DropBooking', data: { ...data, at: recordedAt } },
    ]));
  test('neither is taken for a job, nor a job for a booking', () => {
    for (const event of [reserved, declined]) expect(reaction(queueFundedJobs, event)).toEqual([]);
    const ofAJob = { ...reserved, data: { ...reserved.data, jobId: 'job_1' } };
    expect(reaction(reactor, ofAJob)).toEqual([]);
  });
});

describe('jobs in the pool', () => {
  const tenantId = 'tenant_1';
  test('a queued job brings its tasks, with the time of its event', () =>
    expect(reaction(followJobs('main'), { type: 'JobQueued', data: { ...ofJob, tenantId, spec } })).toEqual([
      { to: pool, type: 'QueueTasks', data: { ...ofJob, tenantId, spec, queuedAt: recordedAt } },
    ]));
  test('however a job ends, it leaves the pool', () => {
    const closed = [{ to: pool, type: 'CloseJob', data: { ...ofJob, at: recordedAt } }];
    const end = { jobId: 'job_1', tenantId, tasksSucceeded: 1 };
    const reactor = followJobs('main');
    expect(reaction(reactor, { type: 'JobSucceeded', data: end })).toEqual(closed);
    expect(reaction(reactor, { type: 'JobCancelled', data: { ...end, poolId: 'main' } })).toEqual(closed);
    const failed = { ...end, poolId: 'main', reason: 'program_trapped' as const, detail: '' };
    expect(reaction(reactor, { type: 'JobFailed', data: failed })).toEqual(closed);
  });
  test('a job that the pool gave up fails with its reason', () =>
    expect(
      reaction(failAbandonedJobs, {
        type: 'JobAbandoned',
        data: { ...ofJob, reason: 'price_cap_unmet', detail: 'why', revoked: [] },
      }),
    ).toEqual([
      { to: job, type: 'FailJob', data: { jobId: 'job_1', reason: 'price_cap_unmet', detail: 'why' } },
    ]));
});

describe('verdicts', () => {
  const verified: ResultVerified = {
    ...of,
    policy: 'quorum/1',
    digest: 'd',
    fault: 'none',
    outputs: [{ name: 'weights', cid: 'cid', sizeBytes: 3 }],
    agreed: [result],
    refuted: [{ ...result, nodeId: 'node_liar' }],
  };
  test('a verified result completes the task with the agreeing work only, and closes it in the pool', () =>
    expect(reaction(actOnVerdicts, { type: 'ResultVerified', data: verified })).toEqual([
      {
        to: job,
        type: 'CompleteTask',
        data: { jobId: 'job_1', taskId: 'task_1', outputs: verified.outputs, digest: 'd', work: [result] },
      },
      { to: pool, type: 'CloseTask', data: { ...of, costAtto: 1n } },
    ]));
  test.each([
    'program_trapped',
    'program_timed_out',
    'program_out_of_memory',
    'output_too_large',
    'program_invalid',
  ] as const)('an agreed %s fails the job for that reason', fault =>
    expect(reaction(actOnVerdicts, { type: 'ResultVerified', data: { ...verified, fault } })).toMatchObject([
      { to: job, type: 'FailJob', data: { reason: fault, detail: expect.stringContaining('task_1') } },
    ]),
  );
  test('a disagreement asks for one more replica', () =>
    expect(reaction(actOnVerdicts, { type: 'ResultsDisagreed', data: { ...of, quorum: 2, result } })).toEqual(
      [{ to: pool, type: 'QueueReplica', data: { ...of, at: recordedAt } }],
    ));
  test('an audit that was drawn asks for one more replica', () => {
    const verification = { policy: 'recheck', samplePpm: 1 } as const;
    const drawn = { ...of, quorum: 2, result, verification, seed: 's' };
    expect(reaction(actOnVerdicts, { type: 'AuditDrawn', data: drawn })).toEqual([
      { to: pool, type: 'QueueReplica', data: { ...of, at: recordedAt } },
    ]);
  });
  test('a disagreement that does not end fails the job', () =>
    expect(
      reaction(actOnVerdicts, {
        type: 'VerificationFailed',
        data: { ...of, policy: 'quorum/1', results: [result, result] },
      }),
    ).toMatchObject([{ to: job, type: 'FailJob', data: { reason: 'results_disagree' } }]));
  test('a first result leaves everything open', () =>
    expect(reaction(actOnVerdicts, { type: 'ResultReceived', data: { ...of, quorum: 2, result } })).toEqual(
      [],
    ));
});

describe('nodes', () => {
  const offer = offerOf('node_a');
  test('a node that comes online is admitted with its offer', () =>
    expect(reaction(followNodes('main'), { type: 'NodeCameOnline', data: { offer } })).toEqual([
      { to: pool, type: 'AdmitNode', data: { poolId: 'main', offer, at: recordedAt } },
    ]));
  test('a node that validates takes no leases, and is withdrawn if it once did', () => {
    const validator = { ...offer, validates: true };
    expect(reaction(followNodes('main'), { type: 'NodeCameOnline', data: { offer: validator } })).toEqual([
      { to: pool, type: 'WithdrawNode', data: { poolId: 'main', nodeId: 'node_a', at: recordedAt } },
    ]);
  });
  test('a node that goes offline is withdrawn as of when it was seen last', () =>
    expect(
      reaction(followNodes('main'), {
        type: 'NodeWentOffline',
        data: { nodeId: 'node_a', lastSeenAt: new Date(900) },
      }),
    ).toEqual([
      { to: pool, type: 'WithdrawNode', data: { poolId: 'main', nodeId: 'node_a', at: new Date(900) } },
    ]));
});

describe('operators', () => {
  const related = {
    operatorId: 'operator_a',
    affiliation: { kind: 'network', key: 'n' },
  } as const;
  test('what an operator has in common with others reaches the pool', () =>
    expect(
      reaction(followOperators('main'), {
        type: 'OperatorAffiliated',
        data: { ...related, seenAt: recordedAt },
      }),
    ).toEqual([{ to: pool, type: 'RelateOperator', data: { poolId: 'main', ...related } }]));
  test('and that it has it no more', () =>
    expect(reaction(followOperators('main'), { type: 'OperatorDisaffiliated', data: related })).toEqual([
      { to: pool, type: 'UnrelateOperator', data: { poolId: 'main', ...related } },
    ]));
});
