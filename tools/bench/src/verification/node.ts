import type { Standing } from '@astro/verification/policies/policy';
import { noReputation, standingOf, type Reputation } from '@astro/verification/reputation/reputation';
import type { Account } from './economy.js';
import type { Strategy } from './strategies.js';

/** A result that its node was believed alone. */
export type Unaudited = { readonly task: number; readonly claim: string };

export class SimulatedNode {
  reputation: Reputation = noReputation;
  standing: Standing = standingOf(noReputation, false);
  readonly account: Account = { paid: 0, worked: 0, isSlashed: false };
  /** Oldest first. */
  readonly unaudited: Unaudited[] = [];
  done = 0;
  firstLieAt: number | undefined;
  expelledAt: number | undefined;
  hasLeft = false;

  constructor(
    readonly id: string,
    readonly operatorId: string,
    readonly strategy: Strategy,
    /** Which group it lies with. */
    readonly group: string,
  ) {}

  get isHonest(): boolean {
    return this.strategy.name === 'honest';
  }

  get isGone(): boolean {
    return this.hasLeft || this.reputation.isExpelled;
  }
}

/** So many nodes of as many operators; the first `cheats` of them cheat, in groups where the strategy has them. */
export function populationOf(
  nodes: number,
  cheats: number,
  strategy: Strategy,
  honest: Strategy,
): readonly SimulatedNode[] {
  return Array.from({ length: nodes }, (_, index) => {
    const isCheat = index < cheats;
    const group =
      isCheat && strategy.groupSize > 1 ? Math.floor(index / strategy.groupSize) : `alone ${index}`;
    return new SimulatedNode(`node_${index}`, `operator_${index}`, isCheat ? strategy : honest, `${group}`);
  });
}
