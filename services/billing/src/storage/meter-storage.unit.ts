import { setTimeout as sleep } from 'node:timers/promises';
import { derivedId } from '@astro/event-sourcing/ids';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { backOffMs } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Part, Unit } from '@astro/jetstream/shared-work';

export type MeterOptions = {
  readonly commands: Pick<CommandBus, 'send'>;
  /** How long a period is. */
  readonly everyMs: number;
  /** Tenants whose content has been kept since before then, in the order of their ids, after one of them. */
  dueBefore(through: Date, afterTenantId: string): Promise<readonly string[]>;
  readonly log: Log;
};

const backOff = { baseMs: 500, maxMs: 30_000 };
const unhealthyAfterFailures = 5;

/** Ends periods of storage, in one process at a time. Should two, or again after a crash, a tenant is metered once. */
export const meterStorageUnit = (options: MeterOptions): Unit => ({
  name: 'meter-storage',
  open: () => new Metering(options),
});

class Metering implements Part {
  readonly #options: MeterOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#failures < unhealthyAfterFailures;
  }

  async start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** The first look catches up with whatever ended while nobody looked. */
  async #run(signal: AbortSignal): Promise<void> {
    const { everyMs, log } = this.#options;
    while (!signal.aborted) {
      let waitMs = everyMs - (Date.now() % everyMs);
      try {
        await this.#meter(new Date(Date.now() - (Date.now() % everyMs)), signal);
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        waitMs = backOffMs(this.#failures, backOff);
        log.error('storage could not be metered', { reason: reasonOf(error), failures: this.#failures });
      }
      await sleep(waitMs, undefined, { signal }).catch((aborted: unknown) => {
        if (!signal.aborted) throw aborted;
      });
    }
  }

  async #meter(through: Date, signal: AbortSignal): Promise<void> {
    const { commands, dueBefore } = this.#options;
    let after = '';
    for (;;) {
      const tenantIds = await dueBefore(through, after);
      const last = tenantIds.at(-1);
      if (last === undefined || signal.aborted) return;
      await Promise.all(
        tenantIds.map(tenantId => {
          const id = derivedId('cmd', 'meter-storage', tenantId, through.getTime());
          const metadata = { correlationId: id, causationId: id, actor: 'service:billing', tenantId };
          const to = { type: 'billing.storage', id: tenantId } as const;
          return commands.send({ to, type: 'MeterStorage', data: { tenantId, through } }, { id, metadata });
        }),
      );
      after = last;
    }
  }
}
