import type { Reactor } from '@astro/event-sourcing/reactor';
import type { KeptContent, StorageCommand } from '@astro/messages/billing';
import type { JobEvent, TaskSucceeded } from '@astro/messages/scheduling';

/** What a task has made is kept for its tenant, from when the result was verified. */
export const keepOutputs: Reactor<JobEvent, StorageCommand> = {
  name: 'billing.keep-outputs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, recordedAt: at }) {
    if (type !== 'TaskSucceeded' || data.outputs.length === 0) return [];
    const { tenantId } = data;
    const to = { type: 'billing.storage', id: tenantId } as const;
    return [{ to, type: 'StoreContent', data: { tenantId, contents: contentsOf(data), at } }];
  },
};

/** Nodes agree on contents, not on their sizes: the smallest that any of them tells counts. */
function contentsOf({ outputs, work }: TaskSucceeded): readonly KeptContent[] {
  const sizes = new Map<string, number>();
  for (const { cid, sizeBytes } of [outputs, ...work.map(result => result.outputs)].flat())
    sizes.set(cid, Math.min(sizes.get(cid) ?? sizeBytes, sizeBytes));
  return [...sizes].map(([cid, sizeBytes]) => ({ cid, sizeBytes }));
}
