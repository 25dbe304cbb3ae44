import { describe, expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { JobEvent, JobSpec, PoolEvent, Result } from '@astro/messages/scheduling';
import { chargeMeteredStorage } from './charge-metered-storage.reactor.js';
import { chargeServicePeriods } from './charge-service-periods.reactor.js';
import { extendReservations } from './extend-reservations.reactor.js';
import { keepOutputs } from './keep-outputs.reactor.js';
import { releaseAfterServices } from './release-after-services.reactor.js';
import { chargeSucceededTasks } from './charge-succeeded-tasks.reactor.js';
import { releaseAfterJobs } from './release-after-jobs.reactor.js';
import { reserveForSubmittedJobs } from './reserve-for-submitted-jobs.reactor.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

const causedAt = new Date(1);
const recorded = (event: JobEvent): Recorded<JobEvent> => ({
  id: 'event_1',
  aggregate: { type: 'scheduling.job', id: 'job_1' },
  event,
  position: 1,
  recordedAt: causedAt,
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:scheduling' },
});
const ids = { jobId: 'job_1', tenantId: 'tenant_1' };
const to = { type: 'billing.account', id: 'tenant_1' };
const spec: JobSpec = {
  name: 'train',
  program: { cid: 'c', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 1,
    memoryMib: 1,
    maxPricePerSecondAtto: 1n,
  },
  tasks: [],
  quorum: 2,
  ...plainJob,
};
const submission = { ...ids, poolId: 'main', spec, maxCostAtto: 70n };
const submitted: JobEvent = { type: 'JobSubmitted', data: submission };
const work: readonly Result[] = [];
const succeeded: JobEvent = {
  type: 'TaskSucceeded',
  data: { ...ids, taskId: 'task_1', outputs: [], digest: 'd', work },
};
const ends: readonly JobEvent[] = [
  { type: 'JobSucceeded', data: { ...ids, tasksSucceeded: 3 } },
  { type: 'JobCancelled', data: { ...ids, poolId: 'main', tasksSucceeded: 3 } },
  {
    type: 'JobFailed',
    data: { ...ids, poolId: 'main', reason: 'no_eligible_node', detail: '', tasksSucceeded: 3 },
  },
];

describe('a submitted job', () => {
  test('reserves the most it can cost', () =>
    expect(reserveForSubmittedJobs.react(recorded(submitted))).toEqual([
      { to, type: 'ReserveFunds', data: { ...ids, amountAtto: 70n, causePosition: 1, causedAt } },
    ]));
  test('says by what budgets count it', () => {
    const { data } = submitted;
    const ofProject = { ...data, spec: { ...spec, project: 'p' }, apiKeyId: 'key_1' };
    expect(reserveForSubmittedJobs.react(recorded({ type: 'JobSubmitted', data: ofProject }))).toMatchObject([
      { data: { project: 'p', apiKeyId: 'key_1' } },
    ]);
  });
  test('is not yet charged or released', () => {
    const reactors = [chargeSucceededTasks(() => ({ feeBps: 250, burnBps: 2_000 })), releaseAfterJobs];
    for (const reactor of reactors) expect(reactor.react(recorded(submitted))).toEqual([]);
  });
});

describe('a job that is funded stepwise', () => {
  test('reserves what its first tasks need, and no less than one of them can cost', () => {
    const data = { ...submission, firstReservationAtto: 40n };
    const reserve = { ...ids, amountAtto: 40n, leastAtto: 2n, causePosition: 1, causedAt };
    expect(reserveForSubmittedJobs.react(recorded({ type: 'JobSubmitted', data }))).toEqual([
      { to, type: 'ReserveFunds', data: reserve },
    ]);
  });
  test('has its reservation extended when the pool asks for it', () => {
    const wanted = { number: 3, amountAtto: 40n, leastAtto: 2n };
    const requested: PoolEvent = { type: 'FundsRequested', data: { ...ids, poolId: 'main', ...wanted } };
    const inPool = { ...recorded(submitted), aggregate: { type: 'scheduling.pool', id: 'main' } } as const;
    expect(extendReservations.react({ ...inPool, event: requested })).toEqual([
      { to, type: 'ExtendReservation', data: { ...ids, ...wanted, causedAt } },
    ]);
  });
});

test('a succeeded task is charged by the fee schedule in force', () =>
  expect(chargeSucceededTasks(() => ({ feeBps: 300, burnBps: 1_000 })).react(recorded(succeeded))).toEqual([
    {
      to,
      type: 'ChargeTask',
      data: { ...ids, taskId: 'task_1', work, feeBps: 300, burnBps: 1_000, causedAt },
    },
  ]));

describe('a service', () => {
  const metadata = { correlationId: 'c', causationId: 'c', actor: 'service:spec' };
  const inPool = (event: PoolEvent) => ({
    id: 'event_1',
    aggregate: { type: 'scheduling.pool' as const, id: 'main' },
    event,
    position: 1,
    recordedAt: causedAt,
    metadata,
  });
  const used: Result = {
    leaseId: 'lease_1',
    nodeId: 'node_a',
    operatorId: 'a',
    fault: 'none',
    digest: '',
    outputs: [],
    meteredMs: 9,
    pricePerSecondAtto: 5n,
  };
  const renewed: PoolEvent = {
    type: 'LeaseRenewed',
    data: {
      ...ids,
      poolId: 'main',
      leaseId: 'lease_1',
      taskId: 'task_1',
      renewedAt: new Date(1),
      deadline: new Date(2),
      chargeNumber: 4,
      work: used,
      runs: 1,
      busyMs: 1,
    },
  };
  const settlement = { tenantId: ids.tenantId, charges: 4 };

  test('is charged for each period in which a replica was reported running', () =>
    expect(chargeServicePeriods(() => ({ feeBps: 300, burnBps: 1_000 })).react(inPool(renewed))).toEqual([
      {
        to,
        type: 'ChargePeriod',
        data: {
          ...ids,
          taskId: 'task_1',
          chargeNumber: 4,
          work: used,
          feeBps: 300,
          burnBps: 1_000,
          causedAt,
        },
      },
    ]));

  test('is charged for what replicas used that the pool ended, one after the other', () => {
    const work = [used, { ...used, leaseId: 'lease_2' }];
    const data = { ...ids, poolId: 'main', taskId: 'task_1', chargeNumber: 5, work };
    const charges = chargeServicePeriods(() => ({ feeBps: 300, burnBps: 1_000 })).react(
      inPool({ type: 'ReplicasMetered', data }),
    );
    expect(charges).toMatchObject([
      { to, type: 'ChargePeriod', data: { ...ids, chargeNumber: 5, work: { leaseId: 'lease_1' } } },
      { to, type: 'ChargePeriod', data: { ...ids, chargeNumber: 6, work: { leaseId: 'lease_2' } } },
    ]);
  });

  test('is released by the pool, which knows what there is to charge, and not by its own end', () => {
    const closed = { poolId: 'main', jobId: ids.jobId, revoked: [] };
    expect(
      releaseAfterServices.react(inPool({ type: 'JobClosed', data: { ...closed, settlement } })),
    ).toEqual([{ to, type: 'ReleaseFunds', data: { ...ids, expectedCharges: 4, causePosition: 1 } }]);
    expect(releaseAfterServices.react(inPool({ type: 'JobClosed', data: closed }))).toEqual([]);
    for (const end of ends.slice(1)) {
      const settled = { ...end, data: { ...end.data, isSettledByPool: true } } as JobEvent;
      expect(releaseAfterJobs.react(recorded(settled))).toEqual([]);
    }
  });
});

test.each(ends)('$type releases the rest once all charges are in', end =>
  expect(releaseAfterJobs.react(recorded(end))).toEqual([
    { to, type: 'ReleaseFunds', data: { ...ids, expectedCharges: 3, causePosition: 1 } },
  ]),
);

describe('content of a tenant', () => {
  const output = (cid: string, sizeBytes: number) => ({ name: cid, cid, sizeBytes });
  const result = (...outputs: readonly ReturnType<typeof output>[]): Result => ({
    ...{
      leaseId: 'lease_1',
      nodeId: 'node_1',
      operatorId: 'operator_1',
      fault: 'none',
      digest: 'd',
      outputs,
    },
    ...{ meteredMs: 1, pricePerSecondAtto: 1n },
  });

  test('is what its tasks have made, as small as any of the agreeing nodes says', () => {
    const work = [result(output('a', 9), output('b', 5)), result(output('a', 3), output('b', 8))];
    const data = { ...ids, taskId: 'task_1', outputs: work[0]!.outputs, digest: 'd', work };
    const contents = [
      { cid: 'a', sizeBytes: 3 },
      { cid: 'b', sizeBytes: 5 },
    ];
    expect(keepOutputs.react(recorded({ type: 'TaskSucceeded', data }))).toEqual([
      {
        to: { type: 'billing.storage', id: 'tenant_1' },
        type: 'StoreContent',
        data: { tenantId: 'tenant_1', contents, at: causedAt },
      },
    ]);
    expect(keepOutputs.react(recorded(succeeded))).toEqual([]);
  });

  const metered = { tenantId: 'tenant_1', from: new Date(1), through: new Date(2), gibHoursAtto: 5n };
  const terms = { pricePerGibHourAtto: 7n, operatorId: 'operator_1' };
  const fees = { feeBps: 250, burnBps: 2_000 };
  const react = (asked: typeof terms | undefined, gibHoursAtto = 5n) =>
    chargeMeteredStorage(asked, () => fees).react({
      ...recorded(succeeded),
      event: { type: 'StorageMetered', data: { ...metered, gibHoursAtto } },
    });

  test('is charged when it was metered, at the price and the fee of now', () =>
    expect(react(terms)).toEqual([
      { to, type: 'ChargeStorage', data: { ...metered, ...terms, ...fees, causedAt } },
    ]));
  test('costs nothing where nothing is asked, or nothing was kept', () =>
    expect([react(undefined), react(terms, 0n)]).toEqual([[], []]));
});
