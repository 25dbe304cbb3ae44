import type { EventStore } from '@astro/jetstream/event-store';
import type { WalletsEvent } from '@astro/messages/registry';

/** The addresses of operators on one chain, as the registry has verified them; what is new is read when asked. */
export class LinkedAddresses {
  readonly #byOperator = new Map<string, readonly string[]>();
  #position = 0;

  constructor(
    private readonly store: EventStore,
    private readonly chainId: number,
  ) {}

  /** The last one that was linked first. */
  async of(operatorId: string): Promise<readonly string[]> {
    const wallets = { type: 'registry.wallets', id: String(this.chainId) } as const;
    for (const { event, position } of await this.store.load(wallets, this.#position)) {
      const { ownerId, owner, address } = (event as WalletsEvent).data;
      if (owner === 'operator')
        this.#byOperator.set(ownerId, [address, ...(this.#byOperator.get(ownerId) ?? [])]);
      this.#position = position;
    }
    return this.#byOperator.get(operatorId) ?? [];
  }
}
