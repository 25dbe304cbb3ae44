import type { PlacementEngine, Placement } from '../engine/engine.js';
import type { UpdateOutcome } from '../engine/fleet.js';
import type { Hold } from '../engine/hold.js';
import type { NodeOffer } from '../engine/offer.js';
import type { TaskRequest } from '../engine/request.js';
import { planPreemption, type InterruptibleLease, type PreemptionPlan } from './preemption.js';

/** A lease that may be stopped, and what it holds. */
export type PreemptibleLease = { readonly leaseId: string; readonly hold: Hold };

/** Whom a plan may stop. */
export type RoomLimits<Lease extends PreemptibleLease> = {
  /** Work that is lost when the lease stops now. */
  readonly lostWork: (lease: Lease) => number;
  /** One that is left alone, because it is going anyway. */
  readonly isSpared?: (lease: Lease) => boolean;
  readonly nowMs: number;
  readonly noticeMs: number;
  /** More than so many leases are never stopped for one request. */
  readonly leasesMax: number;
};

export type RoomRequest<Lease extends PreemptibleLease> = RoomLimits<Lease> & {
  readonly request: TaskRequest;
};

/** Several that must find room at the same time. */
export type GangRoomRequest<Lease extends PreemptibleLease> = RoomLimits<Lease> & {
  readonly members: readonly TaskRequest[];
  /** Where the members would go in this fleet, in their order; none when they do not fit. It takes what they get. */
  readonly place: (fleet: PlacementEngine) => readonly Placement[];
};

type Candidate<Lease> = InterruptibleLease & { readonly lease: Lease };

/** Nodes whose leases are compared for one task. */
const PLACES_MAX = 8;
/** Leases of one node that are compared: those that lose the least; the node with more hardly needs the others. */
const LEASES_OF_PLACE_MAX = 64;

/**
 * Finds whom to stop for a task that fits nowhere, among any number of interruptible leases.
 *
 * A second engine knows the fleet as it would be if no interruptible lease ran. Where the task fits in that one are
 * the only nodes that stopping anybody could free for it, so the leases of a few of those are compared, and nobody
 * looks at the others. The caller keeps both engines: `firm` has the same nodes and only the holds that nobody may
 * interrupt, and its policy says which nodes are tried first.
 */
export class PreemptibleRoom<Lease extends PreemptibleLease> {
  private readonly byNode = new Map<string, Map<string, Lease>>();

  constructor(
    /** The fleet as it is. */
    private readonly engine: PlacementEngine,
    /** As it would be if no interruptible lease ran. */
    readonly firm: PlacementEngine,
  ) {}

  addNode(offer: NodeOffer): void {
    this.engine.addNode(offer);
    this.firm.addNode(offer);
  }

  /** What is not updated in the fleet as it is stays as it was in both. */
  updateNode(offer: NodeOffer): UpdateOutcome {
    const outcome = this.engine.updateNode(offer);
    if (outcome !== 'updated') return outcome;
    // Less is held of it there, so that whatever may change here may change there.
    if (this.firm.updateNode(offer) !== 'updated')
      throw new Error(`node ${offer.nodeId} differs between the fleet and what is firm of it`);
    return outcome;
  }

  /** Its leases are gone with it. */
  removeNode(nodeId: string): void {
    this.engine.removeNode(nodeId);
    this.firm.removeNode(nodeId);
    this.byNode.delete(nodeId);
  }

  /** Runs `act`, which may place, take and release in either fleet, and undoes exactly what it did. */
  simulate<Result>(act: () => Result): Result {
    return this.engine.simulate(() => this.firm.simulate(act));
  }

  /** In a simulation: the engine holds it already, for somebody whom nobody may interrupt. */
  tookFirm(hold: Hold): void {
    this.firm.take(hold);
  }

  /** A lease was granted that the engine holds already; interruptible ones are remembered, others taken for good. */
  granted(lease: Lease, isInterruptible: boolean): void {
    const { hold, leaseId } = lease;
    if (!isInterruptible) {
      this.firm.take(hold);
      return;
    }
    const there = this.byNode.get(hold.nodeId);
    if (there) there.set(leaseId, lease);
    else this.byNode.set(hold.nodeId, new Map([[leaseId, lease]]));
  }

  /** The lease is over: what it held is free again in both engines. */
  ended({ hold, leaseId }: PreemptibleLease): void {
    this.engine.release(hold);
    const there = this.byNode.get(hold.nodeId);
    if (!there?.delete(leaseId)) this.firm.release(hold);
    else if (there.size === 0) this.byNode.delete(hold.nodeId);
  }

  /** Whom to stop; nothing where it would fit on no node even if all of them went, or only if too many did. */
  plan({ request, ...limits }: RoomRequest<Lease>): PreemptionPlan | undefined {
    return this.planOn(this.placesFor(request), request, limits);
  }

  /**
   * Whom to stop so that all members find room: where they would go if no interruptible lease ran, each of those
   * nodes gives what its members need. One such arrangement is looked at, not every one.
   * @returns the leases, in the order of their ids; nothing when there is no arrangement, or too many had to go
   */
  planTogether({ members, place, ...limits }: GangRoomRequest<Lease>): readonly string[] | undefined {
    const nodeIds = this.firm.simulate(() => place(this.firm).map(({ nodeId }) => nodeId));
    if (nodeIds.length === 0) return undefined;
    return this.engine.simulate(() => {
      const gone = new Set<string>();
      for (const [index, member] of members.entries()) {
        const leasesMax = limits.leasesMax - gone.size;
        const isSpared = (lease: Lease) => gone.has(lease.leaseId) || limits.isSpared?.(lease) === true;
        const nodeId = nodeIds[index]!;
        if (!this.takeOn(nodeId, member)) {
          const plan = this.planOn([nodeId], member, { ...limits, leasesMax, isSpared });
          if (!plan) return undefined;
          for (const leaseId of plan.leaseIds) {
            gone.add(leaseId);
            this.engine.release(this.byNode.get(nodeId)!.get(leaseId)!.hold);
          }
          if (!this.takeOn(nodeId, member)) throw new Error(`node ${nodeId} has no room that was made there`);
        }
      }
      return [...gone].sort();
    });
  }

  private planOn(
    nodeIds: readonly string[],
    request: TaskRequest,
    { lostWork, isSpared = () => false, ...limits }: RoomLimits<Lease>,
  ): PreemptionPlan | undefined {
    const query = this.engine.query(request);
    const leases = nodeIds.flatMap(nodeId => this.candidatesOn(nodeId, lostWork, isSpared));
    if (leases.length === 0) return undefined;
    return planPreemption<Candidate<Lease>>({
      ...limits,
      leases,
      fits: (nodeId, gone) => {
        const slot = this.engine.fleet.slotOf(nodeId)!;
        if (!this.isEnough(slot, request, gone)) return false;
        return this.engine.simulate(() => {
          for (const { lease } of gone) this.engine.release(lease.hold);
          return this.engine.find(query, { slots: [slot] }).slot >= 0;
        });
      },
    });
  }

  /** Whether the node had room, which the request has now. */
  private takeOn(nodeId: string, request: TaskRequest): boolean {
    const query = this.engine.query(request);
    const found = this.engine.find(query, { slots: [this.engine.fleet.slotOf(nodeId)!] });
    if (found.slot < 0) return false;
    this.engine.grant(query, found);
    return true;
  }

  /** Spares the trial, which most sets of leases would fail, where the sums alone are too little. */
  private isEnough(slot: number, { requirements }: TaskRequest, gone: readonly Candidate<Lease>[]): boolean {
    const { columns } = this.engine.fleet;
    const { devices, cpuMillis, memoryMib } = requirements;
    let cpu = columns.freeCpuMillis[slot]! - cpuMillis;
    let memory = columns.freeMemoryMib[slot]! - memoryMib;
    let thousandths =
      columns.freeThousandths(slot) - (devices ? devices.count * devices.shareThousandths : 0);
    for (const { lease } of gone) {
      cpu += lease.hold.cpuMillis;
      memory += lease.hold.memoryMib;
      for (const { shareThousandths } of lease.hold.units) thousandths += shareThousandths;
    }
    return cpu >= 0 && memory >= 0 && thousandths >= 0;
  }

  private placesFor(request: TaskRequest): readonly string[] {
    const places: string[] = [];
    while (places.length < PLACES_MAX) {
      const nodesExcluded = new Set([...request.nodesExcluded, ...places]);
      const found = this.firm.findBest(this.firm.query({ ...request, nodesExcluded }));
      if (found.slot < 0) break;
      places.push(this.firm.fleet.factsOf(found.slot).nodeId);
    }
    return places;
  }

  private candidatesOn(
    nodeId: string,
    lostWork: (lease: Lease) => number,
    isSpared: (lease: Lease) => boolean,
  ): readonly Candidate<Lease>[] {
    const there = [...(this.byNode.get(nodeId)?.values() ?? [])]
      .filter(lease => !isSpared(lease))
      .map(lease => ({ leaseId: lease.leaseId, placeId: nodeId, lostWork: lostWork(lease), lease }));
    if (there.length <= LEASES_OF_PLACE_MAX) return there;
    return there.sort((a, b) => a.lostWork - b.lostWork).slice(0, LEASES_OF_PLACE_MAX);
  }
}
