import { learnPlacementValues } from '@astro/matching/policy/learning/placement-values';
import type { Device, Offer } from '@astro/messages/registry';
import type { JobSpec, LearnedPolicy, PoolCommand } from '@astro/messages/scheduling';
import { plainDevice } from '@astro/messages/unconstrained';
import { loadLinearSolver } from '@astro/solver/highs';
import { admit, after, at, offerOf, poolId, queue, specOf } from '../pool-examples.js';
import type { Pool } from '../pool-state.js';
import { nextPolicyVersion } from './adopt.js';
import { learnedPolicyOf } from './learned-policy.js';
import { lessonOf } from './lesson.js';

/** Examples that the specs of learning share: nodes with devices that may be shared, and requests for parts of them. */
const gpu = (model: string): Device => ({
  ...plainDevice,
  kind: 'gpu',
  vendor: 'nvidia',
  model,
  memoryMib: 16_384,
  isShareable: true,
});

export type Machine = { readonly vcpu: number; readonly devices: number; readonly model: string };

/** Memory is never what is short here. */
export function machineOffer(nodeId: string, { vcpu, devices, model }: Machine): Offer {
  const offer = offerOf(nodeId);
  const { inventory } = offer;
  const { devices: cpu } = inventory;
  const all = [...cpu, ...Array.from({ length: devices }, () => gpu(model))];
  const machine = { cpuMillis: vcpu * 1_000, memoryMib: 2 ** 20, devices: all };
  return { ...offer, inventory: { ...inventory, ...machine } };
}

export const admitMachine = (nodeId: string, machine: Machine): PoolCommand =>
  admit(nodeId, machineOffer(nodeId, machine));

/** A request: no devices ask for CPU alone. */
export type Ask = {
  readonly vcpu: number;
  readonly devices: number;
  readonly share?: number;
  readonly model?: string;
};

export const specFor = (
  taskIds: readonly string[],
  { vcpu, devices, share = 1_000, model = '' }: Ask,
): JobSpec =>
  specOf(
    taskIds,
    {
      cpuMillis: vcpu * 1_000,
      memoryMib: 1,
      ...(devices > 0 && {
        deviceKind: 'gpu',
        deviceCount: devices,
        deviceShareThousandths: share,
        deviceModel: model,
      }),
      maxPricePerSecondAtto: 10n ** 6n,
    },
    1,
  );

export function queueAsks(jobId: string, count: number, ask: Ask): PoolCommand {
  const taskIds = Array.from({ length: count }, (_, index) => `${jobId}_${index}`);
  return queue(jobId, specFor(taskIds, ask), at(0));
}

export const adopt = (policy: LearnedPolicy): PoolCommand => ({
  type: 'AdoptPolicy',
  data: { poolId, policy },
});

const solver = await loadLinearSolver();

/** What a learner would have the pool adopt now. */
export function learnedIn(pool: Pool): LearnedPolicy {
  const lesson = lessonOf(pool);
  if (!lesson) throw new Error('there is nothing to learn from');
  const values = learnPlacementValues(solver, lesson.fleet, lesson.arrivals, 1);
  return learnedPolicyOf(lesson, values, nextPolicyVersion(pool));
}

/** Two kinds of machines, and a mix of whole devices, parts of one, and CPU alone. */
export const taught: readonly PoolCommand[] = [
  ...['node_a', 'node_b', 'node_c'].map(id => admitMachine(id, { vcpu: 32, devices: 4, model: 'T4' })),
  admitMachine('node_d', { vcpu: 96, devices: 2, model: 'V100' }),
  queueAsks('job_whole', 30, { vcpu: 8, devices: 1 }),
  queueAsks('job_large', 30, { vcpu: 4, devices: 1, share: 700 }),
  queueAsks('job_small', 20, { vcpu: 2, devices: 1, share: 250 }),
  queueAsks('job_cpu', 20, { vcpu: 4, devices: 0 }),
];

export const examplePolicy: LearnedPolicy = learnedIn(after(...taught).state);
