import { finalBlock, liabilitiesAt } from '@astro/chain/escrow/calls';
import { RpcRefused } from '@astro/chain/rpc/failures';
import { newId } from '@astro/event-sourcing/ids';
import { reasonOf } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Part } from '@astro/jetstream/shared-work';
import type { HaltSettlement } from '@astro/messages/billing';
import { custodyTotals, differing, type CustodyTotals } from '@astro/read-models/billing/custody';
import type { EntityManager } from '@mikro-orm/postgresql';
import { differencesIn, Watch, type Held } from './reconciliation.js';
import type { SettleOptions } from './settle.unit.js';
import { MAX_EXPLAINED } from './settlement.js';

export type ReconcileOptions = Pick<SettleOptions, 'commands' | 'chain' | 'log'> & {
  readonly reconcileEveryMs: number;
  /** How long a fact and its booking may be apart. */
  readonly graceMs: number;
  readTables(): EntityManager;
};

/** Looked at together, the oldest first: more than can be explained, so that there is room for what is not. */
const differencesMax = MAX_EXPLAINED + 100;
/** Named in a line of the log; the event has all. */
const namedMax = 10;
const outcomeTimeoutMs = 15_000;

/** Holds the ledger against Escrow at final blocks, all the time; a difference stops settlement. */
export function reconciling(options: ReconcileOptions): Part {
  const work = new Reconciling(options);
  return new Rounds({
    round: () => work.check(),
    pollMs: options.reconcileEveryMs,
    failed(error, failures) {
      options.log.error('the ledger was not held against Escrow', { reason: reasonOf(error), failures });
    },
  });
}

class Reconciling {
  readonly #options: ReconcileOptions;
  readonly #watch: Watch;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    this.#watch = new Watch(options.graceMs);
  }

  async check(): Promise<void> {
    const { chain, readTables } = this.#options;
    const em = readTables();
    const [totals, entries] = [await custodyTotals(em), await differing(em, differencesMax)];
    const { number } = await finalBlock(chain.pool, chain.finalityBlocks);
    // Another node that is behind: it says nothing about what the ledger has followed already.
    if (number < totals.blockNumber) return;
    const held = await this.#held(number, totals);
    const differences = this.#watch.lasting(differencesIn(totals.chainAtto, held, entries), Date.now());
    if (differences.length === 0) return;
    await this.#halt({
      ...{ reason: 'the ledger and Escrow differ', blockNumber: number, differences },
      ...{ ledgerAtto: totals.ledgerAtto, escrowAtto: held.nowAtto },
    });
  }

  /** The block of the last fact is asked for only where the last block says something else than all facts. */
  async #held(final: number, known: CustodyTotals): Promise<Held> {
    const nowAtto = await this.#heldAt(final);
    if (nowAtto === known.chainAtto || known.blockNumber === 0) return { nowAtto, thenAtto: undefined };
    const thenAtto = await this.#heldAt(known.blockNumber).catch((error: unknown) => {
      if (error instanceof RpcRefused) return undefined;
      throw error;
    });
    return { nowAtto, thenAtto };
  }

  async #heldAt(block: number): Promise<bigint> {
    const { pool, deployment } = this.#options.chain;
    const { depositsAtto, unclaimedAtto } = await liabilitiesAt(pool, deployment, block);
    return depositsAtto + unclaimedAtto;
  }

  async #halt(data: HaltSettlement): Promise<void> {
    const { commands, chain, log } = this.#options;
    const id = newId('cmd');
    const metadata = { correlationId: id, causationId: id, actor: 'service:billing' };
    const to = { type: 'billing.settlement', id: String(chain.deployment.chainId) } as const;
    const command = { to, type: 'HaltSettlement', data } as const;
    const outcome = await commands.request(command, { id, metadata, timeoutMs: outcomeTimeoutMs });
    if (!outcome) throw new Error('nobody has decided on the differences in time');
    if (!outcome.accepted) throw new Error(`${outcome.rejection}: ${outcome.detail}`);
    if (!outcome.changed) return;
    const references = data.differences.slice(0, namedMax).map(({ reference }) => reference);
    log.error('settlement is halted: the ledger and Escrow differ', {
      ...{ references, differences: data.differences.length },
    });
  }
}
