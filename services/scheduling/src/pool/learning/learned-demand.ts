import type { Demand } from '@astro/matching/engine/demand';
import type { LearnedDemand } from '@astro/messages/scheduling';

/** Numbers of demands are an engine's own, and no policy looks at them. */
export function demandFrom(learned: LearnedDemand): Demand {
  const { kind, rate: _rate, probability: _probability, scarcity: _scarcity, ...rest } = learned;
  return kind === 'unspecified' ? { id: 0, ...rest } : { id: 0, ...rest, kind };
}
