import { ties, type Tie } from '@astro/matching/spread/kinship';
import type { PoolTask } from './pool-job.js';
import type { Pool } from './pool-state.js';
import { relaxesAt, tiesKeptOf } from './spread.js';

/** Who is kept from a task because of what it has in common with those that have it. */
export type SpreadExplanation = {
  /** What keeps replicas of it apart now. */
  readonly apartBy: readonly Tie[];
  /** When less does; absent where it stays as it is. */
  readonly relaxesAt?: Date;
  /** The first of them. */
  readonly related: readonly Related[];
  /** Present where nodes are free, and all of them are of such operators. */
  readonly because?: string;
};

type Related = { readonly operatorId: string; readonly to: string; readonly by: Tie };

const RELATED_LISTED_MAX = 50;

type Question = {
  readonly now: Date;
  /** Those that have the task, and with those that are related to one of them. */
  readonly operatorsExcluded: ReadonlySet<string>;
  readonly kept: ReadonlySet<string>;
  /** Operators of the best nodes that are free but for that, where no others are. */
  readonly beside: readonly string[];
};

export function spreadExplained(
  pool: Pool,
  task: PoolTask,
  { now, operatorsExcluded, kept, beside }: Question,
): SpreadExplanation | undefined {
  if (kept.size === operatorsExcluded.size) return undefined;
  const apartBy = tiesKeptOf(task, now);
  const relationOf = (operatorId: string): Related => {
    const [nearest] = [...operatorsExcluded]
      .map(to => ({ operatorId, to, by: pool.kinship.tieBetween(operatorId, to)! }))
      .filter(({ by }) => apartBy.includes(by))
      .sort((left, right) => ties.indexOf(right.by) - ties.indexOf(left.by));
    return nearest!;
  };
  const related = [...kept].filter(operatorId => !operatorsExcluded.has(operatorId));
  const at = relaxesAt(task, now);
  const [first] = beside.map(relationOf);
  return {
    apartBy,
    ...(at && { relaxesAt: at }),
    related: related.slice(0, RELATED_LISTED_MAX).map(relationOf),
    ...(first && {
      because: `all free nodes are related to operator ${first.to} by ${first.by}, as those of ${first.operatorId} are`,
    }),
  };
}
