import { wattsOf } from '@astro/matching/engine/choice';
import { PlacementEngine, type Placement } from '@astro/matching/engine/engine';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { DirectPolicy } from '@astro/matching/engine/policy';
import type { TaskRequest } from '@astro/matching/engine/request';
import { doesNotFit } from '@astro/matching/engine/scorer';
import { policyAlone } from '@astro/matching/engine/weights';
import type { DemandRate } from '@astro/matching/policy/demand-rate';
import { fgd } from '@astro/matching/policy/fgd';

/** Watts that a placement spares, which is none or fewer: of the device that adds the least. */
const sparedWatts: DirectPolicy = {
  kind: 'direct',
  name: 'pwr',
  score: (_demand, before, after) => wattsOf(before) - wattsOf(after),
};

/** What the weights of the two scores add up to. */
const weightSum = 1_000;

/**
 * PWR+FGD: both score every node that fits from 0 to 100, the spared power rescaled over those nodes, and the weighted
 * sum decides; FGD picks the device. Scores are whole numbers, and equal sums go to the node that came first.
 *
 * A score that is rescaled over the candidates is none that a node has by itself, so this is no policy of the engine:
 * two engines keep what each of the two says of every node.
 *
 * Source: Lettich et al., "Power- and Fragmentation-aware Online Scheduling for GPU Datacenters", CCGrid 2025, and its
 * simulator (PWR-plugin-kubernetes, `pwr_score.go`, `generate_run_scripts.py`).
 */
export class PwrFgd {
  private readonly fragmentation: PlacementEngine;
  private readonly power = new PlacementEngine({ policy: sparedWatts, weights: policyAlone });

  /** @param powerWeight of 1,000; the authors use 50, 100 and 200 */
  constructor(
    mix: readonly DemandRate[],
    private readonly powerWeight: number,
  ) {
    this.fragmentation = new PlacementEngine({ policy: fgd(mix), weights: policyAlone });
  }

  addNode(offer: NodeOffer): void {
    this.fragmentation.addNode(offer);
    this.power.addNode(offer);
  }

  place(request: TaskRequest): Placement | 'NoNodeFits' {
    const query = this.fragmentation.query(request);
    query.plan.beginSearch();
    const powerPlan = this.power.query(request).plan;
    const intact = this.fragmentation.indexes.of(query.plan).leaves;
    const spared = this.power.indexes.of(powerPlan).leaves;
    const candidates: number[] = [];
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let slot = 0; slot < intact.length; slot++) {
      if (intact[slot] === doesNotFit || !query.plan.isStanding(slot) || !query.admits(slot)) continue;
      candidates.push(slot);
      least = Math.min(least, spared[slot]!);
      most = Math.max(most, spared[slot]!);
    }
    let best = { slot: -1, score: doesNotFit };
    for (const slot of candidates) {
      const power = least === most ? 100 : Math.floor((100 * (spared[slot]! - least)) / (most - least));
      const score = this.powerWeight * power + (weightSum - this.powerWeight) * intact[slot]!;
      if (score > best.score) best = { slot, score };
    }
    if (best.slot < 0) return 'NoNodeFits';
    const placement = this.fragmentation.grant(query, best);
    this.power.take(placement.hold);
    return placement;
  }
}
