import { recordedIn } from '@astro/archive/cited-event';
import { bundleOf, type Bundle } from '@astro/archive/evidence/bundle';
import { gatherEvents } from '@astro/archive/evidence/gather-events';
import type { Bus } from '@astro/jetstream/bus';
import { isFaultKind } from '../evidence/faults.js';
import { stateFault, type Statement } from '../evidence/statement.js';

/** What a fault on record names. */
export type NamedFault = { readonly kind: string; readonly taskId: string; readonly leaseId: string };

export type Evidence = { readonly statement: Statement; readonly bundle: Bundle };

/** The bundle as anybody who may read the streams can make it, or why there is none. */
export async function bundleOfFault(
  bus: Bus,
  { kind, taskId, leaseId }: NamedFault,
): Promise<Evidence | string> {
  if (!isFaultKind(kind)) return `${kind} is no kind of fault`;
  const events = await gatherEvents(bus, taskId);
  const { statement, flaws } = stateFault({ kind, leaseId }, events.map(recordedIn));
  if (!statement || flaws.length > 0) return `the evidence does not hold: ${flaws.join('; ')}`;
  return { statement, bundle: bundleOf(statement, events) };
}
