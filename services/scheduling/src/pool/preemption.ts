import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { TaskRequest } from '@astro/matching/engine/request';
import { planPreemption } from '@astro/matching/queue/preemption';
import type { GangTopology } from '@astro/messages/scheduling';
import { placeMembers } from './gang.js';
import { poolLimits, PREEMPTION_NOTICE_MS } from './pool-limits.js';
import type { PoolTask } from './pool-job.js';
import { millisOf } from './pool-use.js';
import { jobOfLease, type Lease, type Pool } from './pool-state.js';

/** Leases that are told to make room for a task. */
export type Preemption = {
  readonly task: PoolTask;
  readonly leases: readonly Lease[];
  readonly noticeUntil: Date;
};

/** Something that waits, with the requests of what must find room together. */
export type InNeed = {
  readonly task: PoolTask;
  readonly requests: readonly TaskRequest[];
};

type Candidate = { readonly leaseId: string; readonly placeId: string; readonly lostWork: number } & {
  readonly lease: Lease;
};

/**
 * Who must make room in one tick. What earlier notices will free is promised before anybody else is told: so a task
 * that waits for the end of a notice disturbs nobody more, and no state but the notices themselves is needed.
 */
export class Preemptions {
  readonly plans: Preemption[] = [];
  /** Where room is promised: what is free there is part of it. */
  readonly nodeIds = new Set<string>();
  readonly #promised: Hold[] = [];
  readonly #noticeUntil: Date;
  #leaving: Lease[] | undefined;
  #candidates: readonly Lease[] | undefined;
  #tried = 0;

  constructor(
    private readonly pool: Pool,
    private readonly now: Date,
  ) {
    this.#noticeUntil = new Date(now.getTime() + PREEMPTION_NOTICE_MS);
  }

  get isSpent(): boolean {
    return this.#tried >= poolLimits.preemptionsTriedOfTick;
  }

  /**
   * Promises room to what found none now; `undefined` when no notice would make any.
   * @returns the operators whose nodes it was promised
   */
  makeRoom(need: InNeed): ReadonlySet<string> | undefined {
    if (this.isSpent || this.pool.interruptible.size === 0) return undefined;
    if (need.requests.length > poolLimits.membersOfPreemption) return undefined;
    this.#tried += 1;
    const { engine } = this.pool;
    return this.pool.room.simulate(() => {
      this.#passNotices();
      const placed = this.#place(need);
      if (placed) return this.#promise(placed);
      const leases = this.#leastLost(need);
      if (!leases) return undefined;
      for (const { hold } of leases) engine.release(hold);
      const freed = this.#place(need);
      // A gang may have more places before the one that was freed than are tried for it.
      if (!freed && need.task.job.spec.gang) return undefined;
      if (!freed) throw new Error(`a preemption makes no room for task ${need.task.spec.taskId}`);
      this.#leaving!.push(...leases);
      this.plans.push({ task: need.task, leases, noticeUntil: this.#noticeUntil });
      return this.#promise(freed);
    });
  }

  /** The pool as it will be when all that were told have gone, and what was promised has come. */
  #passNotices(): void {
    const { engine, interruptible, room } = this.pool;
    this.#leaving ??= [...interruptible].filter(({ isPreempted }) => isPreempted);
    for (const { hold } of this.#leaving) engine.release(hold);
    for (const hold of this.#promised) {
      engine.take(hold);
      room.tookFirm(hold);
    }
  }

  #promise(placed: readonly { readonly hold: Hold; readonly operatorId: string }[]): ReadonlySet<string> {
    for (const { hold } of placed) {
      this.#promised.push(hold);
      this.nodeIds.add(hold.nodeId);
    }
    return new Set(placed.map(({ operatorId }) => operatorId));
  }

  /** As of the end of the notice, when it would begin. */
  #place(need: InNeed, engine = this.pool.engine) {
    const { job } = need.task;
    const { leases } = this.pool;
    const topology = job.spec.gang?.topology ?? 'any';
    const placed = placeMembers({ engine, leases }, job, this.#then(need), topology);
    return placed.length > 0 ? placed : undefined;
  }

  #then({ requests }: InNeed): readonly TaskRequest[] {
    return requests.map(request => ({ ...request, decidedAtMs: this.#noticeUntil.getTime() }));
  }

  /** Of those that lose least in the whole pool; where none of them helps, of those where there could be room. */
  #leastLost(need: InNeed): readonly Lease[] | undefined {
    const leaving = new Set(this.#leaving);
    const leaseIds = this.#amongCheapest(need, leaving) ?? this.#whereFirmWorkFits(need, leaving);
    return leaseIds?.map(leaseId => this.pool.leases.get(leaseId)!);
  }

  #whereFirmWorkFits(need: InNeed, leaving: ReadonlySet<Lease>): readonly string[] | undefined {
    const { room } = this.pool;
    const limits = {
      lostWork: (lease: Lease) => this.#lostBy(lease),
      isSpared: (lease: Lease) => leaving.has(lease) || !this.#hasTime(lease),
      nowMs: this.now.getTime(),
      noticeMs: PREEMPTION_NOTICE_MS,
      leasesMax: poolLimits.leasesOfPreemption,
    };
    const [first, ...others] = this.#then(need);
    if (!need.task.job.spec.gang) return room.plan({ ...limits, request: first! })?.leaseIds;
    const members = [first!, ...others];
    return room.planTogether({ ...limits, members, place: fleet => this.#place(need, fleet) ?? [] });
  }

  #amongCheapest(need: InNeed, leaving: ReadonlySet<Lease>): readonly string[] | undefined {
    const { engine } = this.pool;
    this.#candidates ??= this.#cheapest();
    const { gang } = need.task.job.spec;
    const leases = this.#candidates
      .filter(lease => !leaving.has(lease))
      .map(lease => ({
        leaseId: lease.leaseId,
        placeId: placeOf(this.pool, lease, gang?.topology),
        lostWork: this.#lostBy(lease),
        lease,
      }));
    const plan = planPreemption<Candidate>({
      leases,
      fits: (_placeId, gone) =>
        isEnough(engine, need, gone) &&
        engine.simulate(() => {
          for (const { lease } of gone) engine.release(lease.hold);
          return this.#place(need) !== undefined;
        }),
      nowMs: this.now.getTime(),
      noticeMs: PREEMPTION_NOTICE_MS,
      leasesMax: poolLimits.leasesOfPreemption,
    });
    return plan?.leaseIds;
  }

  /** Those that lose the least of all that a notice would make go earlier than they must anyway. */
  #cheapest(): readonly Lease[] {
    return [...this.pool.interruptible]
      .filter(lease => this.#hasTime(lease))
      .sort(
        (left, right) => this.#lostBy(left) - this.#lostBy(right) || left.fencingToken - right.fencingToken,
      )
      .slice(0, poolLimits.preemptionCandidatesOfTick);
  }

  /** Whether a notice would end it earlier. What is renewed goes on beyond its deadline. */
  #hasTime(lease: Lease): boolean {
    return lease.deadline > this.#noticeUntil || jobOfLease(this.pool, lease).service !== undefined;
  }

  /**
   * What it has computed and nobody keeps, in milliseconds times what it holds: since its last checkpoint, a replica's
   * since its last report.
   */
  #lostBy(lease: Lease): number {
    const { startedAt, renewed, checkpointedAt } = lease;
    if (!startedAt) return 0;
    const { spec } = jobOfLease(this.pool, lease);
    const keptAt = renewed?.at ?? checkpointedAt ?? startedAt;
    return Math.max(0, this.now.getTime() - keptAt.getTime()) * millisOf(spec);
  }
}

/** What a gang may be spread over is the place that has to give the room; a task's place is a node. */
function placeOf({ nodes }: Pool, { nodeId }: Lease, topology: GangTopology = 'node'): string {
  const { region, fabric } = nodes.get(nodeId)!.offer;
  switch (topology) {
    case 'node':
      return nodeId;
    case 'region':
      return region;
    case 'fabric':
      return fabric;
    case 'any':
    case 'unspecified':
      return '';
  }
}

/** Spares the trial where all that would be free of CPU or memory on the node is too little. */
function isEnough(
  { fleet }: PlacementEngine,
  { task, requests }: InNeed,
  gone: readonly Candidate[],
): boolean {
  const [first] = gone;
  // It has been tried without.
  if (!first) return false;
  if (task.job.spec.gang) return true;
  const slot = fleet.slotOf(first.lease.nodeId)!;
  const { freeCpuMillis, freeMemoryMib } = fleet.columns;
  const sum = (of: (hold: Hold) => number) => gone.reduce((all, { lease }) => all + of(lease.hold), 0);
  const { cpuMillis, memoryMib } = requests[0]!.requirements;
  return (
    freeCpuMillis[slot]! + sum(hold => hold.cpuMillis) >= cpuMillis &&
    freeMemoryMib[slot]! + sum(hold => hold.memoryMib) >= memoryMib
  );
}
