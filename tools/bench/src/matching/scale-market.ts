import { clearAuction, type Bid } from '@astro/matching/market/auction';
import { PlacementEngine, type Placement } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { Policy } from '@astro/matching/engine/policy';
import type { TaskRequest } from '@astro/matching/engine/request';
import { policyAlone, type TermWeights } from '@astro/matching/engine/weights';
import { bestFit } from '@astro/matching/policy/best-fit';
import { PreemptibleRoom } from '@astro/matching/queue/preemptible-room';
import { percentile, rounded } from '../measure.js';
import { fillNode } from './fill.js';
import { requestClasses } from './scale.js';
import { SyntheticMarket } from './synthetic-fleet.js';

/** One size of the fleet, half of whose leases are interruptible, at about 90 % use. */
export type MarketPoint = {
  readonly nodes: number;
  readonly interruptibleLeases: number;
  /** Requests a second that were placed, refused or outbid, each with the end of another lease. */
  readonly decisionsPerSecond: number;
  readonly decisionsPerCpuSecond: number;
  /** Of 1,000 decisions, those for which leases were stopped, and those for which stopping any would not have done. */
  readonly preemptionsPerThousand: number;
  readonly refusedPerThousand: number;
  readonly leasesStoppedPerPreemption: number;
  /** Of the search for whom to stop, whatever came of it. */
  readonly preemptionP50Ms: number;
  readonly preemptionP99Ms: number;
  readonly auctions: number;
  readonly bidsWonPercent: number;
};

export const marketNodes = [1_000, 10_000, 100_000] as const;

/** Leases that the bench knows of, so that it needs no more memory than the engine; the others never end. */
const leasesMax = 200_000;
const bidsOfAuction = 250;
const limits = { nowMs: 0, noticeMs: 30_000, leasesMax: 64 } as const;

type Lease = { readonly leaseId: string; readonly hold: Hold; readonly grantedAt: number };

/** A market: tasks on demand stop interruptible leases where they fit nowhere, and others bid for what is left. */
export class MarketRun {
  private readonly market: SyntheticMarket;
  private readonly engine: PlacementEngine;
  private readonly room: PreemptibleRoom<Lease>;
  private readonly leases: Lease[] = [];
  private readonly places = new Map<string, number>();
  private bids: { readonly bid: Bid; readonly request: TaskRequest }[] = [];
  private freeMillis = 0;
  private decisions = 0;
  readonly searchesMs: number[] = [];
  readonly counts = { preemptions: 0, stopped: 0, refused: 0, auctions: 0, bids: 0, won: 0 };

  constructor(nodes: number, policy: Policy, weights: TermWeights) {
    this.market = new SyntheticMarket(nodes, requestClasses);
    this.engine = new PlacementEngine({ policy, weights });
    this.room = new PreemptibleRoom(
      this.engine,
      new PlacementEngine({ policy: bestFit, weights: policyAlone }),
    );
    for (let index = 0; index < nodes; index++) {
      const offer = this.market.node(index, nodes);
      this.room.addNode(offer);
      this.freeMillis += 1_000 * offer.devices.length;
      for (const [at, hold] of fillNode(this.engine, this.market, offer).entries()) {
        this.granted(`filled-${index}-${at}`, hold, this.market.below(2) === 0);
      }
    }
  }

  get interruptibleLeases(): number {
    return this.leases.filter(({ leaseId }) => leaseId.startsWith('i')).length;
  }

  /** One lease ends, and one request is decided on; bids are decided on together. */
  step(): void {
    this.decisions += 1;
    const ending = this.leases[this.market.below(this.leases.length)];
    if (ending) this.end(ending);
    const request = this.market.request(`t${this.decisions}`);
    if (this.market.below(2) === 0) this.bid(request);
    else this.placeOnDemand(request);
  }

  private placeOnDemand(request: TaskRequest): void {
    const placement = this.engine.place(request);
    if (placement !== 'NoNodeFits') return this.grantedTo(placement, false);
    const startedMs = performance.now();
    const lostWork = ({ grantedAt, hold }: Lease) => (this.decisions - grantedAt) * millisOf(hold);
    const plan = this.room.plan({ request, lostWork, ...limits });
    this.searchesMs.push(performance.now() - startedMs);
    if (!plan) {
      this.counts.refused += 1;
      return;
    }
    this.counts.preemptions += 1;
    this.counts.stopped += plan.leaseIds.length;
    for (const leaseId of plan.leaseIds) this.end(this.leases[this.places.get(leaseId)!]!);
    const freed = this.engine.place(request);
    if (freed === 'NoNodeFits') throw new Error('a preemption made no room');
    this.grantedTo(freed, false);
  }

  private bid(request: TaskRequest): void {
    const millis = Math.max(1, millisAskedFor(request));
    const limitAtto = BigInt(1 + this.market.below(1_000));
    this.bids.push({ request, bid: { bidId: request.taskId, millis, limitAtto, sequence: this.decisions } });
    if (this.bids.length === bidsOfAuction) this.clear();
  }

  private clear(): void {
    const bids = this.bids.map(({ bid }) => bid);
    // A tenth of what is free is left to those who pay to be served at once.
    const supply = { millis: Math.floor(0.9 * this.freeMillis), reserveAtto: 100n };
    const { outcomes } = clearAuction(bids, supply);
    for (const { bid, request } of this.bids) {
      if (outcomes.get(bid.bidId) !== 'won') continue;
      const placement = this.engine.place(request);
      if (placement === 'NoNodeFits') continue;
      this.counts.won += 1;
      this.grantedTo(placement, true);
    }
    this.counts.auctions += 1;
    this.counts.bids += bids.length;
    this.bids = [];
  }

  private grantedTo({ taskId, hold }: Placement, isInterruptible: boolean): void {
    this.granted(taskId, hold, isInterruptible);
  }

  /** The id says what kind of lease it is. */
  private granted(id: string, hold: Hold, isInterruptible: boolean): void {
    const isKnown = this.leases.length < leasesMax;
    const leaseId = `${isInterruptible ? 'i' : 'o'}-${id}`;
    const lease = { leaseId, hold, grantedAt: this.decisions };
    this.freeMillis -= millisOf(hold);
    this.room.granted(lease, isInterruptible && isKnown);
    if (isKnown) this.places.set(leaseId, this.leases.push(lease) - 1);
  }

  private end(lease: Lease): void {
    const at = this.places.get(lease.leaseId)!;
    const last = this.leases.pop()!;
    if (last !== lease) {
      this.leases[at] = last;
      this.places.set(last.leaseId, at);
    }
    this.places.delete(lease.leaseId);
    this.freeMillis += millisOf(lease.hold);
    this.room.ended(lease);
  }
}

/** A fifth as many decisions come first and are not counted. */
export function measureMarket(
  nodes: number,
  decisions: number,
  policy: Policy,
  weights: TermWeights,
): MarketPoint {
  const run = new MarketRun(nodes, policy, weights);
  const { interruptibleLeases } = run;
  for (let step = 0; step < decisions / 5; step++) run.step();
  const before = { ...run.counts };
  const searched = run.searchesMs.length;
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  for (let step = 0; step < decisions; step++) run.step();
  const seconds = (performance.now() - startedMs) / 1_000;
  const cpu = process.cpuUsage(startedCpu);
  const since = (name: keyof typeof before) => run.counts[name] - before[name];
  const searches = run.searchesMs.slice(searched);
  return {
    nodes,
    interruptibleLeases,
    decisionsPerSecond: rounded(decisions / seconds),
    decisionsPerCpuSecond: rounded((decisions * 1e6) / (cpu.user + cpu.system)),
    preemptionsPerThousand: rounded((1_000 * since('preemptions')) / decisions, 1),
    refusedPerThousand: rounded((1_000 * since('refused')) / decisions, 1),
    leasesStoppedPerPreemption: rounded(since('stopped') / Math.max(1, since('preemptions')), 2),
    preemptionP50Ms: rounded(percentile(searches, 0.5), 3),
    preemptionP99Ms: rounded(percentile(searches, 0.99), 3),
    auctions: since('auctions'),
    bidsWonPercent: rounded((100 * since('won')) / Math.max(1, since('bids')), 1),
  };
}

const millisOf = ({ units }: Hold): number =>
  units.reduce((sum, { shareThousandths }) => sum + shareThousandths, 0);

const millisAskedFor = ({ requirements: { devices } }: TaskRequest): number =>
  devices ? devices.count * devices.shareThousandths : 0;
