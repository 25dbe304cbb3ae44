import type { PoolEvent } from '@astro/messages/scheduling';
import type { Assignment } from '@astro/messages/agent';
import type { PoolJob } from './pool/pool-job.js';
import { leasesOfJob, type Lease, type Pool } from './pool/pool-state.js';

const HOLDERS_LOOKED_AT = 64;
const HOLDERS_TOLD = 8;

/**
 * The whole list of what a node should be working on, oldest lease first. A node that is not in the pool has
 * none.
 */
export function assignmentsOf(pool: Pool, poolId: string, nodeId: string): readonly Assignment[] {
  return [...(pool.nodes.get(nodeId)?.leases ?? [])].flatMap(leaseId => {
    const lease = pool.leases.get(leaseId);
    const job = lease && pool.jobs.get(lease.jobId);
    // Nobody waits for the result of a closed task, so that its node may stop.
    const task = lease && job?.tasks.get(lease.taskId)?.spec;
    if (!lease || !job || !task) return [];
    const { jobId, taskId, fencingToken, deadline, checkpoint, isPreempted } = lease;
    const { inputs, args } = task;
    const { program, requirements, checkpoints, leaseClass, encryption } = job.spec;
    const { attestations } = requirements;
    const replica = ordersOf(job, lease);
    const ids = { poolId, leaseId, jobId, taskId };
    const { cpuMillis, units } = lease.hold;
    const share = { cpuMillis, devices: [...new Set(units.map(({ device }) => device))] };
    const held = holdersOf(pool, lease, [program.cid, ...inputs.map(input => input.cid)]);
    const notice = isPreempted ? { stopBy: deadline } : {};
    const kept = checkpoints && { checkpoints, ...(checkpoint && { checkpoint }) };
    const asked = { program, inputs, args, attestations, ...(encryption && { encryption }) };
    const work = { ...asked, ...replica, share, ...held };
    const softer = leaseClass === 'interruptible' ? { isInterruptible: true } : {};
    return [{ ...ids, fencingToken, deadline, ...work, ...notice, ...kept, ...softer }];
  });
}

/**
 * Nodes that hold some of these contents, as far as is known, and serve what they hold. Of many, each lease is told of
 * others, so that they share the load; a holder that left the pool is none.
 */
function holdersOf(
  { engine, nodes }: Pool,
  { nodeId, fencingToken }: Lease,
  cids: readonly string[],
): Pick<Assignment, 'holders'> {
  const urls = new Map<string, string>();
  for (const cid of cids) {
    let looked = 0;
    for (const slot of engine.fleet.byDataset.slotsOf(cid)) {
      if ((looked += 1) > HOLDERS_LOOKED_AT) break;
      const holder = engine.fleet.factsOf(slot).nodeId;
      const contentUrl = nodes.get(holder)?.offer.contentUrl;
      if (contentUrl !== undefined && holder !== nodeId) urls.set(holder, contentUrl);
    }
  }
  if (urls.size === 0) return {};
  const all = [...urls].map(([holder, contentUrl]) => ({ nodeId: holder, contentUrl }));
  const start = fencingToken % all.length;
  return { holders: { nodes: [...all.slice(start), ...all.slice(0, start)].slice(0, HOLDERS_TOLD) } };
}

/** The replicas share the runs of their service evenly. */
function ordersOf(
  { spec: { service }, tasks }: PoolJob,
  { isPreempted }: Lease,
): Pick<Assignment, 'replica'> {
  const [task] = tasks.values();
  if (!service || !task) return {};
  const { server, periodMs: reportEveryMs } = service;
  if (server) return { replica: { runEveryMs: 0, reportEveryMs, server, isUnderNotice: isPreempted } };
  return { replica: { runEveryMs: service.runEveryMs * task.replicasWanted, reportEveryMs } };
}

/** The nodes that work for a job. */
export const nodesOf = (pool: Pool, jobId: string): ReadonlySet<string> => {
  const job = pool.jobs.get(jobId);
  return new Set(job ? leasesOfJob(pool, job).map(({ nodeId }) => nodeId) : []);
};

/** The nodes whose desired state an event changes. */
export function touchedNodes({ type, data }: PoolEvent): ReadonlySet<string> {
  const of = (leases: readonly { readonly nodeId: string }[]) => new Set(leases.map(lease => lease.nodeId));
  switch (type) {
    case 'LeasesGranted':
      return of(data.grants);
    case 'LeaseCompleted':
      return of([data.result]);
    case 'LeaseFailed':
    case 'NodeWithdrawn':
      return of([data]);
    case 'NodeAdmitted':
      return of([data.offer]);
    case 'LeaseRenewed':
      return of([data.work]);
    case 'LeasesExpired':
    // Its leases have less time from now on.
    case 'LeasesPreempted':
    case 'LeasesRevoked':
      return of(data.leases);
    // Those that keep their replicas hear of it too, but only the pool knows them.
    case 'ServiceScaled':
    case 'AttestationsExpired':
    case 'JobClosed':
    case 'JobAbandoned':
    case 'BookingEnded':
      return of(data.revoked);
    case 'TasksQueued':
    case 'LeaseStarted':
    // It comes from the node itself; who starts anew asks.
    case 'LeaseCheckpointed':
    case 'ReplicaQueued':
    // The event that ends the replicas comes with it.
    case 'ReplicasMetered':
    case 'ReplicasRequeued':
    case 'ReplicaBecameHealthy':
    case 'ReplicaBecameUnhealthy':
    case 'PolicyAdopted':
    case 'OperatorRelated':
    case 'OperatorUnrelated':
    case 'HoldingsNoted':
    case 'HoldingsLost':
    case 'FundsRequested':
    case 'FundsAdded':
    case 'FundsRunOut':
    case 'CapacityBooked':
    case 'BookingConfirmed':
    case 'BookingStarted':
    case 'BookingMoved':
    case 'BookingMetered':
    // A task is closed when its last lease has completed, which has told that lease's node already.
    case 'TaskClosed':
      return of([]);
  }
}
