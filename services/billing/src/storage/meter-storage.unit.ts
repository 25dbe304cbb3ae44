import { derivedId } from '@astro/event-sourcing/ids';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Unit } from '@astro/jetstream/shared-work';

export type MeterOptions = {
  readonly commands: Pick<CommandBus, 'send'>;
  /** How long a period is. */
  readonly everyMs: number;
  /** Tenants whose content has been kept since before then, in the order of their ids, after one of them. */
  dueBefore(through: Date, afterTenantId: string): Promise<readonly string[]>;
  readonly log: Log;
};

/**
 * Ends periods of storage, in one process at a time. Should two, or again after a crash, a tenant is metered once. The
 * first look catches up with whatever ended while nobody looked.
 */
export const meterStorageUnit = (options: MeterOptions): Unit => ({
  name: 'meter-storage',
  open: () =>
    new Rounds({
      round: signal => meter(options, new Date(Date.now() - sincePeriodBegan(options)), signal),
      /** Until the period ends. */
      get pollMs() {
        return options.everyMs - sincePeriodBegan(options);
      },
      failed: (error, failures) =>
        options.log.error('storage could not be metered', { reason: reasonOf(error), failures }),
    }),
});

const sincePeriodBegan = ({ everyMs }: MeterOptions): number => Date.now() % everyMs;

async function meter(
  { commands, dueBefore }: MeterOptions,
  through: Date,
  signal: AbortSignal,
): Promise<void> {
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
