import { holdingsDigest } from '@astro/messages/holdings';
import type { Grant, PoolCommand } from '@astro/messages/scheduling';
import fc from 'fast-check';
import { adopt, examplePolicy, machineOffer } from './learning/learning.fixture.js';
import { failAt, report as renew, scaled, serving } from './service-examples.js';
import {
  admit,
  at,
  attested,
  checkpoint,
  closeJob,
  closeTask,
  complete,
  fail,
  keeping,
  poolId,
  queue,
  replica,
  specOf,
  start,
  stateOf,
  tick,
  withdraw,
} from './pool-examples.js';

const anyNode = fc.constantFrom('node_a', 'node_b', 'node_c', 'node_d');
const anyJob = fc.constantFrom('job_1', 'job_2', 'job_3', 'job_4', 'job_5');
const tasksOf = (jobId: string) => [`${jobId}_x`, `${jobId}_y`];
const anyService = fc.constantFrom('service_1', 'service_2');
const anyTask = fc
  .tuple(anyJob, fc.constantFrom(0, 1))
  .map(([job, index]) => [job, tasksOf(job)[index]!] as const);

/** A step chooses its lease among those granted so far, stale ones too; now and then it lies about it. */
type Step = (granted: readonly Grant[], now: Date) => PoolCommand | undefined;
const always =
  (command: PoolCommand): Step =>
  () =>
    command;
/** Mostly about one of the last leases and true; one in eight is stale or comes from another node. */
const report = (make: (grant: Grant, now: Date) => PoolCommand): fc.Arbitrary<Step> =>
  fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 15 })).map(([index, lie]): Step => (granted, now) => {
    const grant = granted.at(-1 - (index % Math.max(1, granted.length)));
    if (!grant) return undefined;
    const { fencingToken, nodeId } = grant;
    const told = {
      fencingToken: lie === 0 ? fencingToken - 1 : fencingToken,
      nodeId: lie === 1 ? 'node_a' : nodeId,
    };
    return make({ ...grant, ...told }, now);
  });
/** A second policy, by which parts of a device are worth less. */
const policies = [
  examplePolicy,
  {
    ...examplePolicy,
    version: 3,
    scenarios: examplePolicy.scenarios.map(scenario => ({
      ...scenario,
      worth: scenario.worth.map((units, row) =>
        examplePolicy.demands[row]!.shareThousandths < 1_000 ? units / 2 : units,
      ),
    })),
  },
];
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  // Two nodes of one operator, and prices on both sides of the caps; the last two have devices.
  {
    weight: 4,
    arbitrary: fc.tuple(anyNode, fc.bigInt({ min: 1n, max: 12n })).map(([nodeId, pricePerSecondAtto]) =>
      always(
        admit(nodeId, {
          pricePerSecondAtto,
          // Some say what they ask of interruptible work.
          ...(pricePerSecondAtto % 3n === 0n && { interruptiblePricePerSecondAtto: pricePerSecondAtto - 1n }),
          operatorId: nodeId < 'node_c' ? 'operator_1' : nodeId,
          region: nodeId === 'node_d' ? 'us-east-1' : 'de-fra',
          ...(nodeId >= 'node_c' && {
            inventory: machineOffer(nodeId, { vcpu: 2, devices: 2, model: nodeId }).inventory,
          }),
        }),
      ),
    ),
  },
  // One of which evidence was accepted, for a while.
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyNode, fc.constantFrom('tdx' as const, 'tpm' as const), fc.constantFrom(300, 2_000, 20_000))
      .map(([nodeId, kind, validMs]): Step => {
        const operatorId = nodeId < 'node_c' ? 'operator_1' : nodeId;
        return (_granted, now) => attested(admit(nodeId, { operatorId }), kind, now, validMs);
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyJob, fc.constantFrom(['tdx' as const], ['tdx' as const, 'tpm' as const]))
      .map(([jobId, attestations]) =>
        always(queue(jobId, specOf(tasksOf(jobId), { cpuMillis: 400, attestations }, 1))),
      ),
  },
  { weight: 1, arbitrary: anyNode.map(nodeId => always(withdraw(nodeId))) },
  // What the examples read, or not; now and then a change that fits nothing.
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyNode, fc.subarray([stateOf(0).cid, stateOf(1).cid]), fc.boolean())
      .map(([nodeId, held, isWhole]): Step => {
        const said = { isWhole, held, dropped: [], digest: holdingsDigest(held) };
        return (_granted, now) => ({ type: 'NoteHoldings', data: { poolId, nodeId, at: now, ...said } });
      }),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyJob, fc.integer({ min: 1, max: 3 }), fc.constantFrom(400, 900))
      .map(([jobId, quorum, cpuMillis]) =>
        always(queue(jobId, keeping(specOf(tasksOf(jobId), { cpuMillis }, quorum)))),
      ),
  },
  // Of other classes, with other bids, large ones that need what several small ones have.
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        anyJob,
        fc.constantFrom('interruptible' as const, 'interruptible' as const, 'reserved' as const),
        fc.constantFrom(400, 900, 1_500),
        fc.bigInt({ min: 4n, max: 10n }),
      )
      .map(([jobId, leaseClass, cpuMillis, maxPricePerSecondAtto]) => {
        const spec = specOf(tasksOf(jobId), { cpuMillis, maxPricePerSecondAtto }, 1);
        return always(queue(jobId, { ...spec, leaseClass }));
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyJob, fc.constantFrom(250, 700, 1_000))
      .map(([jobId, deviceShareThousandths]) =>
        always(
          queue(
            jobId,
            specOf(tasksOf(jobId), { deviceKind: 'gpu', cpuMillis: 400, deviceShareThousandths }, 1),
          ),
        ),
      ),
  },
  // The second is adopted only after the first.
  { weight: 1, arbitrary: fc.constantFrom(...policies).map(policy => always(adopt(policy))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyJob, fc.constantFrom('any' as const, 'node' as const), fc.constantFrom(700, 1_100))
      .map(([jobId, topology, cpuMillis]) => {
        const spec = specOf(tasksOf(jobId), { cpuMillis, countriesDenied: ['us'] }, 1);
        return always(queue(jobId, { ...spec, gang: { topology } }));
      }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyService, fc.bigInt({ min: 1_000n, max: 9_000n })).map(([jobId, budgetAtto]) => {
      const leaseClass = budgetAtto % 2n === 0n ? 'interruptible' : 'on_demand';
      return always(queue(jobId, { ...serving({ budgetAtto, coolDownMs: 1_000 }), leaseClass }));
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(0, 5_000, 10_000)
      .chain(busyMs => report((grant, now) => renew(grant, now.getTime() - at(0).getTime(), busyMs))),
  },
  { weight: 1, arbitrary: report((grant, now) => failAt(grant, now.getTime() - at(0).getTime())) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyService, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 3 }))
      .map(([jobId, min, more]): Step => {
        return (_granted, now) => scaled(min, min + more, now.getTime() - at(0).getTime(), jobId);
      }),
  },
  { weight: 8, arbitrary: fc.constant<Step>((_granted, now) => tick(now)) },
  { weight: 8, arbitrary: report(start) },
  { weight: 4, arbitrary: report(checkpoint) },
  { weight: 8, arbitrary: report(complete) },
  { weight: 2, arbitrary: report(fail) },
  { weight: 3, arbitrary: anyTask.map(([jobId, taskId]) => always(replica(jobId, taskId))) },
  { weight: 1, arbitrary: anyTask.map(([jobId, taskId]) => always(closeTask(jobId, taskId))) },
  {
    weight: 1,
    arbitrary: fc.oneof(anyJob, anyService).map(
      (jobId): Step =>
        (_granted, now) =>
          closeJob(jobId, now),
    ),
  },
);
/** Mostly well within a lease and a patience, now and then beyond both. */
const anyWaitMs = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 500 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4_000, max: 12_000 }) },
  { weight: 1, arbitrary: fc.constant(45_000) },
);
export const anySteps = fc.array(fc.tuple(anyStep, anyWaitMs), {
  maxLength: 60,
  // Fast-check prefers short lists, in which too little happens.
  size: 'max',
});

export type Steps = readonly (readonly [Step, number])[];
