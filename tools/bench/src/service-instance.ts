import type { Bus } from '@astro/jetstream/bus';
import type { SharedWork } from '@astro/jetstream/shared-work';
import { rssMb } from './measure.js';

export const log = {
  info: () => undefined,
  warn: console.error,
  error: console.error,
};

/** Tells the benchmark that started this process. */
export const tell = (answer: unknown, then: () => void = () => undefined): void =>
  void process.send!(answer, then);

/**
 * Does its part of a service's work until the benchmark says `stop` or is gone.
 * @param answers what else it may ask for, by the word that it sends
 */
export async function serve(
  bus: Bus,
  work: SharedWork,
  answers: Readonly<Record<string, () => void>>,
): Promise<void> {
  const all: Readonly<Record<string, () => void>> = {
    ...answers,
    units: () => tell(work.report().units.filter(({ isHeld }) => isHeld).length),
    stop: () => void stop(bus, work),
  };
  process.on('message', word => all[String(word)]?.());
  // A benchmark that failed leaves nobody to be told when to end.
  process.once('disconnect', () => process.exit());
  await work.start();
  tell('ready');
}

async function stop(bus: Bus, work: SharedWork): Promise<void> {
  await work.stop();
  await bus.close();
  tell({ rssMb: rssMb() }, () => process.disconnect());
}
