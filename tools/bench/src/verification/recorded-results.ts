import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { PoolEvent, Verification } from '@astro/messages/scheduling';

const POOL = { type: 'scheduling.pool', id: 'main' } as const;
const AT_ONCE = 500;
const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };

export type Recorded = {
  readonly tasks: number;
  /** How many nodes have done each task, all with the same result. */
  readonly replicas: number;
  readonly verification?: Verification;
};

/** Records what the pool would, when nodes of different operators have run tasks to their end. */
export async function recordResultsOf(bus: Bus, { tasks, replicas, verification }: Recorded): Promise<void> {
  const store = new EventStore(bus);
  let expectedPosition = (await store.load(POOL)).at(-1)?.position ?? 0;
  const events = Array.from({ length: tasks }, () => newId('task')).flatMap(taskId =>
    Array.from({ length: replicas }, (_, replica) => completedBy(`${replica}`, taskId, verification)),
  );
  for (let from = 0; from < events.length; from += AT_ONCE) {
    const batch = events.slice(from, from + AT_ONCE);
    const recorded = await store.append(POOL, batch, { expectedPosition, commandId: newId('cmd'), metadata });
    ({ position: expectedPosition } = recorded);
  }
}

function completedBy(node: string, taskId: string, verification: Verification | undefined): PoolEvent {
  const ids = { poolId: POOL.id, jobId: 'job_1', taskId, leaseId: newId('lease') };
  const result = {
    leaseId: ids.leaseId,
    nodeId: `node_${node}`,
    operatorId: `operator_${node}`,
    fault: 'none' as const,
    digest: 'd'.repeat(64),
    outputs: [
      { name: 'weights', cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', sizeBytes: 3 },
    ],
    meteredMs: 5,
    pricePerSecondAtto: 10n ** 14n,
    hardwareClass: 'cpu/amd/epyc/x64',
  };
  return {
    type: 'LeaseCompleted',
    data: { ...ids, quorum: 2, result, ...(verification && { verification }) },
  };
}
