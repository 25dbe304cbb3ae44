import { refundCall } from '@astro/chain/escrow/calls';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { RpcRefused } from '@astro/chain/rpc/failures';
import { FeesTooHigh } from '@astro/chain/transactions/fees';
import { StillWaiting } from '@astro/chain/transactions/sender';
import { newId } from '@astro/event-sourcing/ids';
import { crashPoint } from '@astro/jetstream/crash-point';
import { reasonOf } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Part } from '@astro/jetstream/shared-work';
import type { WithdrawalQueued } from '@astro/messages/billing';
import type { SettleOptions } from './settle.unit.js';

export type WithdrawOptions = Pick<
  SettleOptions,
  'commands' | 'escrows' | 'settlements' | 'chain' | 'openSender' | 'isPlanned' | 'pollMs' | 'log'
>;

const atOnce = 16;
const outcomeTimeoutMs = 15_000;

/** Sends withdrawals. That they were paid the chain's final facts tell, and nothing here. */
export function withdrawing(options: WithdrawOptions): Part {
  const work = new Withdrawing(options);
  return new Rounds({
    round: () => work.step(),
    pollMs: options.pollMs,
    failed(error, failures) {
      const isPatience = error instanceof StillWaiting || error instanceof FeesTooHigh;
      const fields = { reason: reasonOf(error), failures };
      if (isPatience) options.log.warn('a withdrawal waits for the chain', fields);
      else options.log.error('a withdrawal could not be sent', fields);
    },
  });
}

class Withdrawing {
  readonly #options: WithdrawOptions;
  readonly #chainId: string;
  /** Those on the chain that wait for its finality: they need not be sent again. */
  #sent = new Set<string>();

  constructor(options: WithdrawOptions) {
    this.#options = options;
    this.#chainId = String(options.chain.deployment.chainId);
  }

  /** One that waits for the chain does not keep the others waiting. */
  async step(): Promise<void> {
    const { state } = await this.#options.escrows.load(this.#chainId);
    this.#sent = new Set([...this.#sent].filter(id => state.outgoing.has(id)));
    const next = [...state.outgoing.values()].filter(({ withdrawalId }) => !this.#sent.has(withdrawalId));
    const ends = await Promise.allSettled(
      (await this.#allowed(next)).slice(0, atOnce).map(queued => this.#send(queued)),
    );
    const failed = ends.find(end => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /**
   * While the ledger and Escrow differ, nobody knows whose money Escrow holds: only what was signed before goes on,
   * because it may be on the chain already.
   */
  async #allowed(queued: readonly WithdrawalQueued[]): Promise<readonly WithdrawalQueued[]> {
    const { settlements, isPlanned } = this.#options;
    const { halted } = (await settlements.load(this.#chainId)).state;
    if (halted === undefined) return queued;
    const arePlanned = await Promise.all(queued.map(({ withdrawalId }) => isPlanned(keyOf(withdrawalId))));
    return queued.filter((_withdrawal, index) => arePlanned[index]);
  }

  async #send({ withdrawalId, address, amountAtto }: WithdrawalQueued): Promise<void> {
    const { chain, openSender, isPlanned, log } = this.#options;
    const key = keyOf(withdrawalId);
    const call = refundCall(chain.deployment, { address, amountAtto, reason: bytes32Of(withdrawalId) });
    crashPoint('before-publish');
    const sender = await openSender();
    const ended = await sender.send(key, call).catch(async (error: unknown) => {
      // Refused before anything was signed: nothing can come of it any more.
      if (error instanceof RpcRefused && !(await isPlanned(key))) return error;
      throw error;
    });
    crashPoint('after-puback');
    if (ended instanceof Error) return this.#drop(withdrawalId, `the chain refuses it: ${ended.message}`);
    if (!ended.succeeded) return this.#drop(withdrawalId, `the chain reverted it in ${ended.hash}`);
    this.#sent.add(withdrawalId);
    log.info('a withdrawal is on the chain', { withdrawalId, hash: ended.hash });
  }

  async #drop(withdrawalId: string, reason: string): Promise<void> {
    const { commands, log } = this.#options;
    const id = newId('cmd');
    const metadata = { correlationId: id, causationId: id, actor: 'service:billing' };
    const to = { type: 'billing.escrow', id: this.#chainId } as const;
    const command = { to, type: 'DropWithdrawal', data: { withdrawalId, reason } } as const;
    const outcome = await commands.request(command, { id, metadata, timeoutMs: outcomeTimeoutMs });
    if (!outcome?.accepted) throw new Error(`nobody has given ${withdrawalId} back in time`);
    log.warn('a withdrawal is given back', { withdrawalId, reason });
  }
}

/** Under which the journal has the transaction. */
const keyOf = (withdrawalId: string): string => `refund:${withdrawalId}`;
