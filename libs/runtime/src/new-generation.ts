import type { MikroORM } from '@mikro-orm/postgresql';
import type { Bus } from '@astro/jetstream/bus';
import { Generation, type GenerationOptions } from '@astro/postgres/generation';
import { fill, type FillOptions } from './fill.js';

export type NewGenerationOptions = Omit<GenerationOptions, 'stage'> & {
  readonly bus: Bus;
  /** The database that serves, as the role that owns the schema. */
  readonly live: MikroORM;
  readonly onProgress?: FillOptions['onProgress'];
  readonly signal?: AbortSignal;
};

/** So few events that whoever waits for them waits a moment. */
const fewEvents = 1_000;

/**
 * Fills the tables of a projection from the stream beside those that serve, and puts them in their place when they hold
 * as much. @throws GenerationIsBeingFilled
 */
export async function serveNewGeneration(options: NewGenerationOptions): Promise<void> {
  const generation = await Generation.open({ ...options, stage: 'next' });
  const { runner } = generation;
  try {
    // What came in during one round is read in the next; each is shorter, because reading is faster than writing.
    let events: number;
    do events = await fill({ ...options, runner });
    while (events > fewEvents);
    options.signal?.throwIfAborted();
    await generation.takeOver(options.live, async upTo => void (await fill({ ...options, runner, upTo })));
  } finally {
    await generation.close();
  }
}
