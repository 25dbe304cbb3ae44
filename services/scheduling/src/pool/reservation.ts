import type { Reservation } from '@astro/matching/queue/admit';
import { earliestFit } from '@astro/matching/queue/earliest-fit';
import type { JobSpec } from '@astro/messages/scheduling';
import { placeMembers } from './gang.js';
import type { Lease, Pool } from './pool-state.js';
import { requestFor } from './request.js';
import type { WaitingGroup } from './waiting-group.js';

/** Room on nodes for something large, which fits at the latest when every lease in its way has ended. */
export type KeptNodes = Reservation & { readonly nodeIds: ReadonlySet<string> };

/** What is held and, at the latest, until when: by live leases, and by what the tick has granted so far. */
export type Ending = Pick<Lease, 'hold' | 'deadline'>;

/**
 * What has waited this long might be passed over for ever. A single task needs one node to come free, which mostly
 * happens by itself; a gang needs many at once.
 */
const RESERVED_AFTER_MS = { gang: 30_000, task: 600_000 };
/** Leases whose ends are looked at: with more, the pool is so busy that room comes up all the time. */
const LEASES_MAX = { gang: 20_000, task: 2_000 };
/** It is asked this often on the way whether there is room by now. */
export const LOOKS = 64;

/**
 * The reservation for the head of the queue, by the deadlines of the leases: they are kept whatever happens, so that
 * the promise never slips. Undefined for what would not fit even then.
 */
export function reservationFor(
  pool: Pool,
  taken: readonly Ending[],
  group: WaitingGroup,
  now: Date,
): KeptNodes | undefined {
  const ending = [...firstEnding(pool, LEASES_MAX[kindOf(group)]), ...taken].map(({ hold, deadline }) => ({
    hold,
    endsMs: deadline.getTime(),
  }));
  ending.sort((left, right) => left.endsMs - right.endsMs);
  return pool.engine.simulate(() => {
    const found = earliestFit(
      ending,
      ({ hold }) => pool.engine.release(hold),
      () => {
        const nodeIds = nodesFor(pool, group, now);
        return nodeIds.size > 0 ? nodeIds : undefined;
      },
      LOOKS,
    );
    // Whoever is gone when it did not fit yet delays it by nothing.
    return found && { fromMs: found.notYetMs ?? now.getTime(), nodeIds: found.fit };
  });
}

export const hasWaitedLong = ({ tasks }: WaitingGroup, now: Date): boolean =>
  tasks.first !== undefined &&
  now.getTime() - tasks.first.job.queuedAt.getTime() >= RESERVED_AFTER_MS[kindOf(tasks.first.job)];

const kindOf = ({ spec }: { readonly spec: JobSpec }) => (spec.gang ? 'gang' : 'task');

/** Whether the head of the group would fit if nothing else were on any node, on those that failed it too if `anew`. */
export const fitsIdlePool = (pool: Pool, group: WaitingGroup, now: Date, anew = false): boolean =>
  pool.engine.simulate(() => {
    for (const lease of pool.leases.values()) pool.engine.release(lease.hold);
    return nodesFor(pool, group, now, { anew, prices: 'idle' }).size > 0;
  });

const asItIs = { anew: false, prices: 'posted' } as const;

/** Where the head of the group would go; none when it does not fit. */
function nodesFor(
  pool: Pool,
  group: WaitingGroup,
  now: Date,
  { anew, prices }: { readonly anew: boolean; readonly prices: 'posted' | 'idle' } = asItIs,
): ReadonlySet<string> {
  const [head] = group.tasks;
  const { gang } = group.spec;
  const members = gang ? [...group.tasks] : [head!];
  const requests = members.map(task => {
    const request = requestFor(pool, task, now, prices);
    return anew ? { ...request, nodesExcluded: new Set<string>() } : request;
  });
  return pool.engine.simulate(
    () =>
      new Set(placeMembers(pool, head!.job, requests, gang?.topology ?? 'any').map(({ nodeId }) => nodeId)),
  );
}

/** Those of services are renewed, so that nothing can be promised by their deadlines. */
function firstEnding({ byDeadline, jobs }: Pool, count: number): readonly Lease[] {
  const first: Lease[] = [];
  for (const lease of byDeadline) {
    if (first.length === count) break;
    if (jobs.get(lease.jobId)?.service) continue;
    first.push(lease);
  }
  return first;
}
