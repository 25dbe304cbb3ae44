import type { AttestationKind, Offer } from '@astro/messages/registry';
import type { Fault, Grant, JobSpec, PoolCommand, PoolEvent, Requirements } from '@astro/messages/scheduling';
import {
  plainDevice,
  plainInventory,
  plainJob,
  plainOffer,
  plainRequirements,
} from '@astro/messages/unconstrained';
import { pool } from './pool.js';
import type { Pool } from './pool-state.js';

/** Examples that the specs of the pool share. */
export const poolId = 'main';
export const timeLimitMs = 10_000;
export const patienceMs = 15_000;
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';

/** Milliseconds from an arbitrary beginning. */
export const at = (ms: number): Date => new Date(Date.UTC(2026, 0, 1) + ms);

export const offerOf = (nodeId: string, change: Partial<Offer> = {}): Offer => ({
  nodeId,
  operatorId: `operator_${nodeId}`,
  region: 'de-fra',
  inventory: {
    devices: [{ kind: 'cpu', vendor: 'amd', model: 'epyc', memoryMib: 4096, ...plainDevice }],
    cpuMillis: 2000,
    memoryMib: 4096,
    diskMib: 10_000,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  pricePerSecondAtto: 5n,
  ...plainOffer,
  ...change,
});

const requirements: Requirements = {
  ...plainRequirements,
  deviceKind: 'cpu',
  cpuMillis: 1000,
  memoryMib: 512,
  maxPricePerSecondAtto: 10n,
};

export const specOf = (
  taskIds: readonly string[],
  change: Partial<Requirements> = {},
  quorum = 2,
): JobSpec => ({
  name: 'digits',
  program: { cid, timeLimitMs, memoryLimitMib: 64, outputLimitBytes: 1024 },
  requirements: { ...requirements, ...change },
  tasks: taskIds.map(taskId => ({ taskId, inputs: [{ name: 'shard.bin', cid }], args: [taskId] })),
  quorum,
  ...plainJob,
});

export const admit = (nodeId: string, change: Partial<Offer> = {}): PoolCommand => ({
  type: 'AdmitNode',
  data: { poolId, offer: offerOf(nodeId, change) },
});
/** The same with evidence that was accepted of the node. */
export function attested(
  command: PoolCommand,
  kind: AttestationKind,
  acceptedAt: Date,
  validMs: number,
): PoolCommand {
  if (command.type !== 'AdmitNode') throw new Error(`${command.type} admits no node`);
  const expiresAt = new Date(acceptedAt.getTime() + validMs);
  const attestation = { kind, evidenceDigest: 'e'.repeat(64), acceptedAt, expiresAt };
  return { ...command, data: { ...command.data, attestation } };
}
export const withdraw = (nodeId: string): PoolCommand => ({ type: 'WithdrawNode', data: { poolId, nodeId } });
export const queue = (
  jobId: string,
  spec: JobSpec,
  queuedAt = at(0),
  tenantId = 'tenant_1',
): PoolCommand => ({
  type: 'QueueTasks',
  data: { poolId, jobId, tenantId, spec, queuedAt },
});
export const tick = (now: Date): PoolCommand => ({ type: 'PlaceTasks', data: { poolId, now, patienceMs } });
export const start = (grant: Grant, when: Date): PoolCommand => ({
  type: 'StartLease',
  data: { ...reportOf(grant), at: when },
});
/** Content ids that differ by a number. */
export const stateOf = (number: number) => ({
  cid: cid.slice(0, -1) + 'abcdefg'[number]!,
  sizeBytes: 100,
});
export const checkpoint = (grant: Grant, when: Date, kept = stateOf(when.getTime() % 7)): PoolCommand => ({
  type: 'CheckpointLease',
  data: { ...reportOf(grant), at: when, checkpoint: kept },
});
/** The same job, whose programs may keep their state. */
export const keeping = (spec: JobSpec): JobSpec => ({
  ...spec,
  checkpoints: { everyMs: 2_000, sizeLimitBytes: 1_000 },
});
export const complete = (grant: Grant, when: Date, fault: Fault = 'none'): PoolCommand => ({
  type: 'CompleteLease',
  data: { ...reportOf(grant), at: when, fault, digest: 'd'.repeat(64), outputs: [] },
});
export const fail = (grant: Grant): PoolCommand => ({
  type: 'FailLease',
  data: { ...reportOf(grant), reason: 'the content was not found' },
});
export const replica = (jobId: string, taskId: string): PoolCommand => ({
  type: 'QueueReplica',
  data: { poolId, jobId, taskId },
});
export const closeTask = (jobId: string, taskId: string): PoolCommand => ({
  type: 'CloseTask',
  data: { poolId, jobId, taskId },
});
/** @param when without it, as it was sent before the end was told */
export const closeJob = (jobId: string, when?: Date): PoolCommand => ({
  type: 'CloseJob',
  data: { poolId, jobId, ...(when && { at: when }) },
});

const reportOf = ({ leaseId, nodeId, fencingToken }: Grant) => ({ poolId, leaseId, nodeId, fencingToken });

/** Decides the commands one after the other; a refusal throws. */
export function after(...commands: readonly PoolCommand[]): { events: readonly PoolEvent[]; state: Pool } {
  const events: PoolEvent[] = [];
  let state = pool.initialState;
  for (const command of commands) {
    const decision = pool.decide(command, state);
    if (!decision.accepted) throw new Error(`${command.type} was refused: ${decision.rejection}`);
    events.push(...decision.events);
    state = decision.events.reduce(pool.evolve, state);
  }
  return { events, state };
}

export const grantsIn = (events: readonly PoolEvent[]): readonly Grant[] =>
  events.flatMap(event => (event.type === 'LeasesGranted' ? event.data.grants : []));
