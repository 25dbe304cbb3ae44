import { isDeepStrictEqual } from 'node:util';
import type { OrdersOfValidators } from '@astro/jetstream/desired-state';
import { KeyedQueue } from '@astro/jetstream/keyed-queue';
import type { AuditOrder } from '@astro/messages/agent';
import { readPosition } from '@astro/postgres/checkpoints';
import { audits, auditsOf, type Audit } from '@astro/read-models/verification/audits';
import type { EntityManager } from '@mikro-orm/postgresql';

/** Of one validator; what is beyond waits until something is closed. */
const ordersMax = 32;

/** Tells validators what they were drawn to run again, and when they may reveal: the whole list, each time. */
export class OrdersPublisher {
  readonly #lists: OrdersOfValidators;
  readonly #em: () => EntityManager;
  readonly #queue = new KeyedQueue();
  /** What this process told last, of those that have orders. */
  readonly #told = new Map<string, readonly AuditOrder[]>();

  constructor(lists: OrdersOfValidators, em: () => EntityManager) {
    this.#lists = lists;
    this.#em = em;
  }

  /** Those that are in an audit, and those that were until now. */
  async publishChanged(drawn: readonly Audit[], now: Date): Promise<void> {
    const validators = new Set([...drawn.flatMap(row => row.drawn), ...this.#told.keys()]);
    await Promise.all(
      [...validators].map(validatorId => this.publish(validatorId, now, { ifChanged: true })),
    );
  }

  publish(validatorId: string, now: Date, { ifChanged = false } = {}): Promise<void> {
    return this.#queue.run(validatorId, async () => {
      // Read first: what the rows say is from then or later, and it only grows, unlike the positions of what is left.
      const asOf = await readPosition(this.#em(), audits.name);
      const rows = await auditsOf(this.#em(), validatorId, ordersMax);
      const orders = rows.map(row => orderOf(row, now));
      if (ifChanged && isDeepStrictEqual(orders, this.#told.get(validatorId))) return;
      await this.#lists.put({ nodeId: validatorId, orders }, asOf);
      if (orders.length > 0) this.#told.set(validatorId, orders);
      else this.#told.delete(validatorId);
    });
  }
}

function orderOf(row: Audit, now: Date): AuditOrder {
  const { taskId, round, committed, drawn } = row;
  const [commitUntil, revealUntil] = [row.commitUntil!, row.revealUntil!];
  const mayReveal = committed.length === drawn.length || now > commitUntil;
  return { taskId, round, work: row.work!, commitUntil, revealUntil, mayReveal };
}
