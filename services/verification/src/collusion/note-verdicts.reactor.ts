import type { Message } from '@astro/event-sourcing/decider';
import type { GatheringReactor } from '@astro/event-sourcing/reactor';
import type { Camp, CollusionCommand, NotedVerdict, ResultVerified } from '@astro/messages/verification';
import { contentOf } from '../task/result-content.js';

type Verified = Message<'ResultVerified', ResultVerified>;

/** Of a camp so many operators are noted, so that a command of a whole run stays below a megabyte. */
const OPERATORS_OF_CAMP = 4;

/** One command for a run of verdicts of a pool: who agreed with whom is counted at once for all of them. */
export const noteVerdicts: GatheringReactor<Verified, CollusionCommand> = {
  name: 'verification.note-verdicts',
  reads: 'verification.task',
  gathers: ['ResultVerified'],

  reactToAll(run) {
    const byPool = new Map<string, NotedVerdict[]>();
    for (const { event, position, recordedAt: at } of run) {
      const { poolId, taskId } = event.data;
      const camps = campsIn(event.data);
      if (camps.length === 0) continue;
      const verdicts = byPool.get(poolId) ?? [];
      verdicts.push({ position, taskId, at, camps });
      byPool.set(poolId, verdicts);
    }
    return [...byPool].map(([poolId, verdicts]) => {
      const to = { type: 'verification.collusion', id: poolId } as const;
      return { to, type: 'NoteVerdicts', data: { poolId, verdicts } };
    });
  },
};

/** Those in which anybody agrees with another. */
function campsIn({ agreed, refuted }: ResultVerified): readonly Camp[] {
  const lies = Map.groupBy(refuted, contentOf);
  return [
    { operators: agreed.map(({ operatorId }) => operatorId), isBelieved: true },
    ...[...lies.values()].map(results => ({
      operators: results.map(({ operatorId }) => operatorId),
      isBelieved: false,
    })),
  ]
    .filter(({ operators }) => operators.length > 1)
    .map(({ operators, isBelieved }) => ({ operators: operators.slice(0, OPERATORS_OF_CAMP), isBelieved }));
}
