import { delay } from '@astro/jetstream/delay';
import { Logger, type OnModuleDestroy } from '@nestjs/common';
import type { ContentStore } from './content-store.js';

/** It looks at every stored name, and what it removes has been of no use for an hour or a day already. */
export const SWEEP_EVERY_MS = 6 * 3_600_000;

/** Removes from time to time what uploads that were never finished have left, for as long as this gateway runs. */
export class ContentSweep implements OnModuleDestroy {
  private readonly logger = new Logger('content-sweep');
  private readonly stop = new AbortController();
  private readonly sweeping: Promise<void>;

  constructor(
    private readonly store: ContentStore,
    private readonly everyMs: number,
  ) {
    this.sweeping = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stop.abort();
    await this.sweeping;
  }

  private async run(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await delay(this.everyMs, signal);
      if (signal.aborted) return;
      try {
        const removed = await this.store.sweep(new Date());
        if (removed > 0) this.logger.log(`removed ${removed} files of uploads that were never finished`);
      } catch (error) {
        this.logger.warn(`what uploads have left could not be removed: ${String(error)}`);
      }
    }
  }
}
