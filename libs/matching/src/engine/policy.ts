import type { Demand } from './demand.js';
import type { Shape } from './shape.js';

/**
 * A node as a policy sees it: only what the value of its free capacity depends on. Nodes with equal states
 * have equal scores. The engine reuses these objects: a policy reads them during the call and keeps none.
 */
export type NodeState = {
  readonly shape: Shape;
  readonly freeCpuMillis: number;
  /**
   * Free thousandths of each unit (device or slice); the first `shape.unitCount` entries hold. Units stand by
   * group as in `shape.groups`, ascending within a group: which of equal devices is free makes no difference,
   * unless the policy keeps their order.
   */
  readonly freeShares: Uint16Array;
};

/** How a policy has the units of a node taken. */
export type UnitRules = {
  /** States list the units as the offer does, so that the first of equally good ones is taken, and share less. */
  readonly keepsUnitOrder?: boolean;
  /** Takes the unit with the least free that fits, whatever the score; absent, the best scored one. */
  readonly takesTightest?: boolean;
};

/**
 * Values what a node can still host. The gain of a placement is the potential after it less the potential
 * before it; the engine caches potentials by state, and scores by demand and state. The highest score wins.
 * Both functions depend on their arguments only. Source: FGD is of this kind (Weng et al., USENIX ATC 2023).
 */
export type PotentialPolicy = UnitRules & {
  readonly kind: 'potential';
  readonly name: string;
  potential(state: NodeState): number;
  /** From a gain to a score, for example by rounding; `before` serves ties. */
  score(gain: number, demand: Demand, before: NodeState): number;
};

/** Scores a placement from the states before and after it. */
export type DirectPolicy = UnitRules & {
  readonly kind: 'direct';
  readonly name: string;
  score(demand: Demand, before: NodeState, after: NodeState): number;
};

/** Takes any node that fits, each with the same chance; the same seed gives the same choices. */
export type RandomPolicy = { readonly kind: 'random'; readonly name: string; readonly seed: number };

export const sortsUnits = (policy: Policy): boolean =>
  policy.kind === 'random' || policy.keepsUnitOrder !== true;

export type Policy = PotentialPolicy | DirectPolicy | RandomPolicy;
