import { describe, expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { JobEvent, JobSpec, Result } from '@astro/messages/scheduling';
import { chargeSucceededTasks } from './charge-succeeded-tasks.reactor.js';
import { releaseAfterJobs } from './release-after-jobs.reactor.js';
import { reserveForSubmittedJobs } from './reserve-for-submitted-jobs.reactor.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

const recorded = (event: JobEvent): Recorded<JobEvent> => ({
  id: 'event_1',
  aggregate: { type: 'scheduling.job', id: 'job_1' },
  event,
  position: 1,
  recordedAt: new Date(0),
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
const submitted: JobEvent = {
  type: 'JobSubmitted',
  data: { ...ids, poolId: 'main', spec, maxCostAtto: 70n },
};
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
      { to, type: 'ReserveFunds', data: { ...ids, amountAtto: 70n } },
    ]));
  test('is not yet charged or released', () => {
    const reactors = [chargeSucceededTasks({ feeBps: 250, burnBps: 2_000 }), releaseAfterJobs];
    for (const reactor of reactors) expect(reactor.react(recorded(submitted))).toEqual([]);
  });
});

test('a succeeded task is charged by the fee schedule in force', () =>
  expect(chargeSucceededTasks({ feeBps: 300, burnBps: 1_000 }).react(recorded(succeeded))).toEqual([
    { to, type: 'ChargeTask', data: { ...ids, taskId: 'task_1', work, feeBps: 300, burnBps: 1_000 } },
  ]));

test.each(ends)('$type releases the rest once all charges are in', end =>
  expect(releaseAfterJobs.react(recorded(end))).toEqual([
    { to, type: 'ReleaseFunds', data: { ...ids, expectedCharges: 3 } },
  ]),
);
