import { accept } from '@astro/event-sourcing/decider';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { JobEvent, JobSpec, Result, Spread, Verification } from '@astro/messages/scheduling';
import type { TaskEvent } from '@astro/messages/verification';
import { task } from '../task/task.js';

export const ids = { poolId: 'main', jobId: 'job_1', taskId: 'task_1' };

/** What an operator's node answers. */
export type Vote = Pick<Result, 'digest' | 'fault' | 'outputs'> & { readonly operator: string };

export const resultOf = ({ operator, ...claim }: Vote): Result => ({
  leaseId: `lease_${operator}`,
  nodeId: `node_${operator}`,
  operatorId: `operator_${operator}`,
  ...claim,
  meteredMs: 1_000,
  pricePerSecondAtto: 5n,
  hardwareClass: 'cpu/x64',
});

export const saying = (operator: string, digest: string): Vote => ({
  ...{ operator, digest, fault: 'none' },
  outputs: [{ name: 'count', cid: `cid-${digest}`, sizeBytes: 3 }],
});

type JobOptions = {
  readonly programCid?: string;
  readonly args?: readonly string[];
  readonly quorum?: number;
  readonly verification?: Verification;
  readonly spread?: Spread;
};

export const specOf = ({
  programCid = 'cid-program',
  args = ['100'],
  quorum = 2,
  verification,
}: JobOptions) =>
  ({
    name: 'primes',
    program: { cid: programCid, timeLimitMs: 20_000, memoryLimitMib: 64, outputLimitBytes: 1_024 },
    requirements: {
      ...{ deviceKind: 'cpu', deviceModel: '', deviceMemoryMib: 0, cpuMillis: 500, memoryMib: 128 },
      ...{ regions: [], maxPricePerSecondAtto: 10n, deviceVendor: '', deviceCount: 0 },
      ...{ deviceShareThousandths: 0, sliceProfile: '', isInterconnected: false, diskMib: 0 },
      ...{ bandwidthMbps: 0, regionsDenied: [], countries: [], countriesDenied: [] },
      ...{ minReliabilityThousandths: 0, attestations: [] },
    },
    tasks: [{ taskId: ids.taskId, inputs: [], args }],
    quorum,
    leaseClass: 'on_demand',
    priority: 0,
    expectedDurationMs: 0,
    maxParallel: 0,
    ...(verification && { verification }),
  }) satisfies JobSpec;

/** What the rules record of these votes, in their order. */
export function votesOf(
  votes: readonly Vote[],
  options: JobOptions = {},
  seed = 'seed',
): readonly TaskEvent[] {
  const { quorum = 2, verification, spread } = options;
  const rules = task({ maxReplicas: 25 });
  let state = rules.initialState;
  const events: TaskEvent[] = [];
  for (const vote of votes) {
    const drawn = verification && { verification, seed };
    const data = { ...ids, quorum, result: resultOf(vote), ...drawn, ...(spread && { spread }) };
    const decision = rules.decide({ type: 'RecordResult', data }, state);
    const decided = decision.accepted ? decision.events : accept<TaskEvent>().events;
    state = decided.reduce(rules.evolve, state);
    events.push(...decided);
  }
  return events;
}

export const submittedAs = (spec: JobSpec): JobEvent => ({
  type: 'JobSubmitted',
  data: { jobId: ids.jobId, tenantId: 'tenant_1', poolId: ids.poolId, spec, maxCostAtto: 100n },
});

/** As the event store has them, one after the other. */
export const recordedAs = (submitted: JobEvent, votes: readonly TaskEvent[]): readonly Recorded[] =>
  [submitted, ...votes].map((event, index) => ({
    id: `event_${index}`,
    aggregate:
      index === 0 ? { type: 'scheduling.job', id: ids.jobId } : { type: 'verification.task', id: ids.taskId },
    event,
    position: index + 1,
    recordedAt: new Date(Date.UTC(2026, 0, 1)),
    metadata: { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' },
  }));
