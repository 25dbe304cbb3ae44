import type { PlacementEngine } from '../engine/engine.js';
import type { Hold } from '../engine/hold.js';
import type { NodeOffer } from '../engine/offer.js';
import type { TaskRequest } from '../engine/request.js';
import { planPreemption, type InterruptibleLease, type PreemptionPlan } from './preemption.js';

/** A lease that may be stopped, and what it holds. */
export type PreemptibleLease = { readonly leaseId: string; readonly hold: Hold };

export type RoomRequest<Lease extends PreemptibleLease> = {
  readonly request: TaskRequest;
  /** Work that is lost when the lease stops now. */
  readonly lostWork: (lease: Lease) => number;
  readonly nowMs: number;
  readonly noticeMs: number;
  /** More than so many leases are never stopped for one task. */
  readonly leasesMax: number;
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
 * looks at the others. The caller keeps both engines: `idle` has the same nodes and only the holds that nobody may
 * interrupt, and its policy says which nodes are tried first.
 */
export class PreemptibleRoom<Lease extends PreemptibleLease> {
  private readonly byNode = new Map<string, Map<string, Lease>>();

  constructor(
    /** The fleet as it is. */
    private readonly engine: PlacementEngine,
    /** As it would be without interruptible leases. */
    private readonly idle: PlacementEngine,
  ) {}

  addNode(offer: NodeOffer): void {
    this.engine.addNode(offer);
    this.idle.addNode(offer);
  }

  /** A lease was granted that the engine holds already; interruptible ones are remembered, others taken for good. */
  granted(lease: Lease, isInterruptible: boolean): void {
    const { hold, leaseId } = lease;
    if (!isInterruptible) {
      this.idle.take(hold);
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
    if (!there?.delete(leaseId)) this.idle.release(hold);
    else if (there.size === 0) this.byNode.delete(hold.nodeId);
  }

  /** Whom to stop; nothing where it would fit on no node even if all of them went, or only if too many did. */
  plan({ request, lostWork, ...limits }: RoomRequest<Lease>): PreemptionPlan | undefined {
    const query = this.engine.query(request);
    const leases = this.placesFor(request).flatMap(nodeId => this.candidatesOn(nodeId, lostWork));
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
      const found = this.idle.findBest(this.idle.query({ ...request, nodesExcluded }));
      if (found.slot < 0) break;
      places.push(this.idle.fleet.factsOf(found.slot).nodeId);
    }
    return places;
  }

  private candidatesOn(nodeId: string, lostWork: (lease: Lease) => number): readonly Candidate<Lease>[] {
    const there = [...(this.byNode.get(nodeId)?.values() ?? [])].map(lease => ({
      leaseId: lease.leaseId,
      placeId: nodeId,
      lostWork: lostWork(lease),
      lease,
    }));
    if (there.length <= LEASES_OF_PLACE_MAX) return there;
    return there.sort((a, b) => a.lostWork - b.lostWork).slice(0, LEASES_OF_PLACE_MAX);
  }
}
