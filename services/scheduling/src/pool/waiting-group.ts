import type { JobSpec } from '@astro/messages/scheduling';
import type { OrderedList } from './ordered-list.js';
import type { PoolTask } from './pool-job.js';

/**
 * Tasks that wait for the same: what suits one of them, or does not, suits all. In their order. The members of a
 * gang that wait are one group, because they find room together, although each may be kept from other nodes.
 */
export type WaitingGroup = {
  readonly key: string;
  readonly needsKey: string;
  /** Of one of their jobs; as far as it matters where they run, all of their jobs say the same. */
  readonly spec: JobSpec;
  /** None of a gang: its members are asked. */
  readonly operatorsExcluded: ReadonlySet<string>;
  readonly nodesExcluded: ReadonlySet<string>;
  /** Replicas that each of them waits for. */
  readonly replicas: number;
  readonly tasks: OrderedList<PoolTask>;
};
