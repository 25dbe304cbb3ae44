import type { TransactionSender } from '@astro/chain/transactions/sender';
import type { Part, Unit } from '@astro/jetstream/shared-work';
import { reconciling, type ReconcileOptions } from './reconcile.unit.js';
import { settling, type SettleOptions } from './settle.unit.js';
import { withdrawing, type WithdrawOptions } from './withdraw.unit.js';

type ChainWorkOptions = SettleOptions & WithdrawOptions & ReconcileOptions;

/** All that the settler's key signs, by one process and one sender: it alone may replace what waits. */
export const chainWorkUnit = (options: ChainWorkOptions): Unit => ({
  name: 'settle-charges',
  open: () => new ChainWork(options),
});

class ChainWork implements Part {
  readonly #parts: readonly Part[];

  constructor(options: ChainWorkOptions) {
    let opened: Promise<TransactionSender> | undefined;
    const openSender = () => {
      opened ??= options.openSender().catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    };
    const shared = { ...options, openSender };
    this.#parts = [settling(shared), withdrawing(shared), reconciling(shared)];
  }

  get healthy(): boolean {
    return this.#parts.every(({ healthy }) => healthy);
  }

  async start(): Promise<void> {
    for (const part of this.#parts) await part.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.map(part => part.stop()));
  }
}
