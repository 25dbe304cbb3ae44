import { ScratchState, wattsOf } from './choice.js';
import { DemandTable, groupSuits } from './demand.js';
import type { Hold } from './hold.js';
import type { NodeOffer } from './offer.js';
import type { PotentialPolicy } from './policy.js';
import type { Requirements, TaskRequest } from './request.js';
import { ShapeTable, type Shape } from './shape.js';
import type { TermWeights } from './weights.js';

/** The engine as one would write it without caring for speed: every node is looked at for every request. */
export class Oracle {
  private readonly holds: Hold[] = [];
  private readonly shapes = new ShapeTable();
  private readonly demands = new DemandTable();

  constructor(
    readonly offers: readonly NodeOffer[],
    private readonly policy: PotentialPolicy,
    private readonly weights: TermWeights,
  ) {}

  take(hold: Hold): void {
    this.holds.push(hold);
  }

  release(hold: Hold): void {
    this.holds.splice(this.holds.indexOf(hold), 1);
  }

  /** What is free of a node, recomputed from all holds. */
  free(node: NodeOffer): {
    readonly amounts: readonly number[];
    readonly shares: readonly number[];
    shape: Shape;
  } {
    const shape = this.shapes.intern(node);
    const own = this.holds.filter(hold => hold.nodeId === node.nodeId);
    const left = (total: number, of: (hold: Hold) => number) =>
      own.reduce((sum, hold) => sum - of(hold), total);
    const shares = shape.origins.map((_, unit) =>
      left(1000, hold => hold.units.find(held => held.unit === unit)?.shareThousandths ?? 0),
    );
    const amounts = [
      left(node.cpuMillis, hold => hold.cpuMillis),
      left(node.memoryMib, hold => hold.memoryMib),
      left(node.diskMib, hold => hold.diskMib),
      left(node.bandwidthMbps, hold => hold.bandwidthMbps),
    ];
    return { amounts, shares, shape };
  }

  /** The best score of the request on the node; absent when a filter fails or it does not fit. */
  scoreOn(node: NodeOffer, request: TaskRequest): number | undefined {
    if (!this.passesFilters(node, request)) return undefined;
    const scores = this.afterStates(node, request).map(([before, after]) => {
      const gain = this.policy.potential(after) - this.policy.potential(before);
      return this.weights.policy * gain - (this.weights.watts * (wattsOf(after) - wattsOf(before))) / 1000;
    });
    return scores.length === 0 ? undefined : Math.max(...scores) + this.terms(node, request);
  }

  private passesFilters(node: NodeOffer, request: TaskRequest): boolean {
    const { requirements: needs, decidedAtMs, deadlineMs } = request;
    const { amounts } = this.free(node);
    const wanted = [needs.cpuMillis, needs.memoryMib, needs.diskMib, needs.bandwidthMbps];
    const endMs = decidedAtMs + needs.expectedDurationMs / node.performance;
    const obeys = ({ allowed, denied }: typeof needs.regions, value: string) =>
      (allowed.length === 0 || allowed.includes(value)) && !denied.includes(value);
    return (
      wanted.every((amount, index) => amount <= amounts[index]!) &&
      (needs.runtime === '' || node.runtimes.includes(needs.runtime)) &&
      obeys(needs.regions, node.region) &&
      obeys(needs.countries, node.country) &&
      (needs.attestations.length === 0 || needs.attestations.includes(node.attestation)) &&
      (needs.nodes === undefined || needs.nodes.includes(node.nodeId)) &&
      node.reliability >= needs.reliabilityMin &&
      (needs.priceCapAtto === undefined || askOf(node, needs) <= needs.priceCapAtto) &&
      (needs.transferPriceCapAtto === undefined ||
        (node.transferPriceAtto ?? 0n) <= needs.transferPriceCapAtto) &&
      !request.nodesExcluded.has(node.nodeId) &&
      !request.operatorsExcluded.has(node.operatorId) &&
      (deadlineMs === undefined || endMs <= deadlineMs) &&
      node.maintenance.every(({ fromMs, untilMs }) => endMs <= fromMs || decidedAtMs >= untilMs)
    );
  }

  /** Every set of units worth trying, as the states before and after. */
  private afterStates(
    node: NodeOffer,
    { requirements }: TaskRequest,
  ): readonly [ScratchState, ScratchState][] {
    const { shares, shape, amounts } = this.free(node);
    const demand = this.demands.intern(requirements);
    const before = stateOf(shape, amounts[0]!, shares);
    const freeCpu = amounts[0]! - requirements.cpuMillis;
    if (demand.unitCount === 0) return [[before, stateOf(shape, freeCpu, shares)]];
    const groups = shape.groups
      .filter(group => groupSuits(demand, group) && (!demand.isInterconnected || group.interconnect !== ''))
      .map(({ first, count }) =>
        Array.from({ length: count }, (_, index) => first + index)
          .filter(unit => shares[unit]! >= demand.shareThousandths)
          .sort((a, b) => shares[a]! - shares[b]!),
      );
    const within = groups.filter(units => units.length >= demand.unitCount);
    const across = groups.toSorted((a, b) => b.length - a.length).flat();
    const sets =
      demand.unitCount === 1
        ? groups.flat().map(unit => [unit])
        : within.length > 0
          ? within.map(units => units.slice(0, demand.unitCount))
          : across.length >= demand.unitCount && !demand.isInterconnected
            ? [across.slice(0, demand.unitCount)]
            : [];
    return sets.map(units => {
      const left = shares.map((share, unit) =>
        units.includes(unit) ? share - demand.shareThousandths : share,
      );
      return [before, stateOf(shape, freeCpu, left)];
    });
  }

  private terms(node: NodeOffer, { requirements, siblingNodes }: TaskRequest): number {
    const { weights } = this;
    const held = requirements.datasets.filter(dataset => node.datasets.includes(dataset)).length;
    const siblings = siblingNodes.filter(
      id => this.offers.find(({ nodeId }) => nodeId === id)?.operatorId === node.operatorId,
    ).length;
    return (
      weights.reliability * node.reliability +
      weights.performance * node.performance -
      (weights.price * Number(askOf(node, requirements))) / Number(weights.referencePriceAtto) +
      (requirements.datasets.length === 0 ? 0 : (weights.locality * held) / requirements.datasets.length) -
      weights.spread * siblings
    );
  }
}

function stateOf(shape: Shape, freeCpuMillis: number, shares: readonly number[]): ScratchState {
  const state = new ScratchState();
  state.shape = shape;
  state.freeCpuMillis = freeCpuMillis;
  for (const { first, count } of shape.groups) {
    state.freeShares.set(
      shares.slice(first, first + count).sort((a, b) => a - b),
      first,
    );
  }
  return state;
}

const askOf = (node: NodeOffer, { isInterruptible }: Requirements): bigint =>
  isInterruptible && node.interruptiblePriceAtto !== undefined
    ? node.interruptiblePriceAtto
    : node.pricePerDeviceSecondAtto;
