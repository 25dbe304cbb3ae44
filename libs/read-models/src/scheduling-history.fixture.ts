import type { JobEvent, JobSpec, PoolEvent, Result } from '@astro/messages/scheduling';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';
import type { AccusationEvent, TaskEvent } from '@astro/messages/verification';

const spec = (name: string, taskIds: readonly string[]): JobSpec => ({
  name,
  ...(name === 'second' && { project: 'digits' }),
  program: { cid: 'cid', timeLimitMs: 1000, memoryLimitMib: 16, outputLimitBytes: 1000 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 100,
    memoryMib: 16,
    maxPricePerSecondAtto: 10n ** 20n,
  },
  tasks: taskIds.map(taskId => ({ taskId, inputs: [], args: [] })),
  quorum: 2,
  ...plainJob,
});

const result = (leaseId: string, nodeId: string, digest = 'right'): Result => ({
  leaseId,
  nodeId,
  operatorId: `operator_of_${nodeId}`,
  fault: 'none',
  digest,
  outputs: [{ name: 'out', cid: 'cid-out', sizeBytes: 3 }],
  meteredMs: 1500,
  pricePerSecondAtto: 5n,
});

const pool = { poolId: 'main' };
const job1 = { jobId: 'job_1', tenantId: 'tenant_1' };
const job2 = { jobId: 'job_2', tenantId: 'tenant_1' };
const job3 = { jobId: 'job_3', tenantId: 'tenant_2' };
const grant = (leaseId: string, nodeId: string, taskId: string, jobId = 'job_1') => ({
  leaseId,
  jobId,
  taskId,
  nodeId,
  operatorId: `operator_of_${nodeId}`,
  pricePerSecondAtto: 5n,
  deadline: new Date(99_000),
  fencingToken: 7,
  units: [],
});
const started = (leaseId: string, nodeId: string, taskId: string, jobId = 'job_1'): PoolEvent => ({
  type: 'LeaseStarted',
  data: { ...pool, leaseId, jobId, taskId, nodeId, startedAt: new Date(50_000) },
});
const health = { ...pool, leaseId: 'lease_3', jobId: 'job_1', taskId: 'task_2', nodeId: 'node_2' };
const requests = { requests: 5, unanswered: 1, requestBytes: 70, answerBytes: 900 };
const withoutMarket = { prices: [], marketVersion: 0 };
const revocation = {
  ...pool,
  leases: [{ leaseId: 'lease_5', jobId: 'job_1', taskId: 'task_2', nodeId: 'node_4' }],
};
const submitted = (job: typeof job1, name: string, taskIds: readonly string[]): JobEvent => ({
  type: 'JobSubmitted',
  data: { ...job, ...pool, spec: spec(name, taskIds), maxCostAtto: 10n ** 24n },
});

const short = (job: typeof job1): JobEvent => ({
  type: 'JobShortOfFunds',
  data: { ...job, ...pool, number: 1, missingAtto: 7n, availableAtto: 2n, stopsAt: new Date(70_000) },
});

/** Jobs that succeed, fall short of funds and end, with their leases. */
export const schedulingHistory: readonly (JobEvent | PoolEvent)[] = [
  submitted(job1, 'first', ['task_1', 'task_2']),
  submitted(job2, 'second', ['task_3']),
  submitted(job3, 'foreign', ['task_4']),
  { type: 'JobQueued', data: { ...job1, ...pool, spec: spec('first', ['task_1', 'task_2']) } },
  {
    type: 'LeasesGranted',
    data: {
      ...pool,
      policy: 'tight-fit/1',
      weightsVersion: 1,
      ...withoutMarket,
      grants: [grant('lease_1', 'node_1', 'task_1'), grant('lease_2', 'node_2', 'task_1')],
    },
  },
  started('lease_1', 'node_1', 'task_1'),
  {
    type: 'LeaseCheckpointed',
    data: {
      ...{ ...pool, leaseId: 'lease_1', jobId: 'job_1', taskId: 'task_1', nodeId: 'node_1' },
      ...{ checkpoint: { cid: 'cid-state', sizeBytes: 5 }, checkpointedAt: new Date(51_000) },
    },
  },
  {
    type: 'LeaseCompleted',
    data: {
      ...pool,
      leaseId: 'lease_1',
      jobId: 'job_1',
      taskId: 'task_1',
      quorum: 2,
      result: result('lease_1', 'node_1'),
    },
  },
  { type: 'NodeWithdrawn', data: { ...pool, nodeId: 'node_2' } },
  {
    type: 'LeasesGranted',
    data: {
      ...pool,
      policy: 'tight-fit/1',
      weightsVersion: 1,
      ...withoutMarket,
      grants: ['lease_3', 'lease_4', 'lease_5'].map((leaseId, index) =>
        grant(leaseId, `node_${index + 2}`, 'task_2'),
      ),
    },
  },
  { type: 'ReplicaBecameHealthy', data: { ...health, notedAt: new Date(51_000) } },
  { type: 'ReplicaBecameUnhealthy', data: { ...health, notedAt: new Date(52_000), reason: 'status 500' } },
  {
    type: 'LeaseFailed',
    data: {
      ...pool,
      leaseId: 'lease_4',
      jobId: 'job_1',
      taskId: 'task_2',
      nodeId: 'node_3',
      reason: 'no disk',
    },
  },
  {
    type: 'LeasesPreempted',
    data: {
      ...revocation,
      decidedAt: new Date(60_000),
      noticeUntil: new Date(90_000),
      forJobId: 'job_2',
      forTaskId: 'task_3',
      forLeaseClass: 'on_demand',
    },
  },
  { type: 'LeasesRevoked', data: revocation },
  {
    type: 'TaskSucceeded',
    data: {
      ...job1,
      taskId: 'task_1',
      outputs: result('lease_1', 'node_1').outputs,
      digest: 'right',
      work: [result('lease_1', 'node_1')],
    },
  },
  { type: 'RequestsCounted', data: { ...job1, seen: requests, total: requests } },
  short(job1),
  short(job2),
  short(job3),
  { type: 'JobFundedAgain', data: { ...job3, ...pool, number: 1 } },
  {
    type: 'JobFailed',
    data: { ...job2, ...pool, reason: 'insufficient_funds', detail: 'x'.repeat(300), tasksSucceeded: 0 },
  },
];

const judged = (taskId: string) => ({ ...pool, jobId: 'job_1', taskId, policy: 'quorum/1' });
/** Results of a task, and what was made of them. */
export const verificationHistory: readonly TaskEvent[] = [
  {
    type: 'ResultReceived',
    data: { ...pool, jobId: 'job_1', taskId: 'task_1', quorum: 2, result: result('lease_1', 'node_1') },
  },
  {
    type: 'ResultVerified',
    data: {
      ...judged('task_1'),
      digest: 'right',
      fault: 'none',
      outputs: [],
      agreed: [result('lease_1', 'node_1'), result('lease_3', 'node_3')],
      refuted: [result('lease_2', 'node_2', 'wrong')],
    },
  },
  {
    type: 'VerificationFailed',
    data: { ...judged('task_2'), results: [result('lease_4', 'node_4', 'odd')] },
  },
];

const accusedIn = (index: number) => ({
  ...{ faultId: `fault_${index}`, kind: 'refuted_result', rules: 'faults/1', jobId: 'job_1' },
  ...{ taskId: 'task_1', leaseId: `lease_${index}`, nodeId: 'node_2', operatorId: 'operator_2' },
});
const prepared = { evidence: '0x1', chainId: 31_337, address: '0x2', fractionBps: 500 };
const time = new Date(1_000_000_000);

export const accusationHistory: readonly AccusationEvent[] = [
  ...[1, 2, 3].map((index): AccusationEvent => ({
    type: 'FaultRecorded',
    data: { accused: accusedIn(index) },
  })),
  { type: 'AccusationWaived', data: { faultId: 'fault_1', reason: 'operator_2 has staked nothing' } },
  { type: 'AccusationPrepared', data: { faultId: 'fault_2', ...prepared } },
  { type: 'AccusationSent', data: { faultId: 'fault_2', caseId: '0', disputeEndsAt: time } },
  { type: 'CaseDecided', data: { faultId: 'fault_2', isRight: true, reason: 'the evidence holds' } },
  { type: 'CaseMoved', data: { faultId: 'fault_2', status: 'upheld', endsAt: time } },
  { type: 'CaseClosed', data: { faultId: 'fault_2', status: 'slashed', slashedAtto: 5n } },
  { type: 'AccusationPrepared', data: { faultId: 'fault_3', ...prepared } },
];
