import type { Recorded } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { replay } from '@astro/jetstream/replay';
import { contexts } from '@astro/jetstream/subjects';

export type Context = (typeof contexts)[number];

/** Every event of every context, read further each time. */
export class History {
  private readonly read = new Map<Context, Recorded[]>(contexts.map(context => [context, []]));

  constructor(private readonly bus: Bus) {}

  async catchUp(): Promise<void> {
    for (const [context, events] of this.read)
      for await (const recorded of replay(this.bus, context, events.at(-1)?.position)) events.push(recorded);
  }

  of(context: Context): readonly Recorded[] {
    return this.read.get(context)!;
  }

  get all(): readonly Recorded[] {
    return [...this.read.values()].flat();
  }
}
