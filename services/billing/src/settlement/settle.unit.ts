import { feeAt, finalBlock, fundsOf, settleCall } from '@astro/chain/escrow/calls';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { RpcRefused } from '@astro/chain/rpc/failures';
import { FeesTooHigh } from '@astro/chain/transactions/fees';
import { StillWaiting, type TransactionSender } from '@astro/chain/transactions/sender';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { Bus } from '@astro/jetstream/bus';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { crashPoint } from '@astro/jetstream/crash-point';
import { eventBatches } from '@astro/jetstream/event-reader';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Part } from '@astro/jetstream/shared-work';
import type {
  AccountEvent,
  EscrowCommand,
  EscrowEvent,
  SealBatch,
  SettlementCommand,
  SettlementEvent,
} from '@astro/messages/billing';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { isSameFee, termsIn, type FeeTerms } from '../account/fee.js';
import type { ChainAccess } from '../chain/chain-access.config.js';
import type { Escrow } from '../escrow/escrow.js';
import { Gathering } from './gathering.js';
import type { Settlement } from './settlement.js';
import { canPay, dueOf } from './solvency.js';

export type SettleOptions = {
  readonly bus: Bus;
  readonly commands: CommandBus;
  readonly settlements: AggregateStore<Settlement, SettlementCommand, SettlementEvent>;
  readonly escrows: AggregateStore<Escrow, EscrowCommand, EscrowEvent>;
  readonly chain: ChainAccess;
  /** Called by the one process that settles, once it does. */
  openSender(): Promise<TransactionSender>;
  /** Whether a transaction is in the journal under this business key. */
  isPlanned(key: string): Promise<boolean>;
  /** How long a charge waits for others, and how many are enough. */
  readonly everyMs: number;
  readonly chargesMax: number;
  readonly pollMs: number;
  readonly log: Log;
};

const readAtOnce = 500;
const lookAtWaitingMs = 60_000;
const outcomeTimeoutMs = 15_000;

/** Settling, which one process at a time does. Should two, the ranges and the journal let each batch be once. */
export function settling(options: SettleOptions): Part {
  const work = new Settling(options);
  return new Rounds({
    round: signal => work.step(signal),
    pollMs: options.pollMs,
    failed(error, failures) {
      const isPatience = error instanceof StillWaiting || error instanceof FeesTooHigh;
      const fields = { reason: reasonOf(error), failures };
      if (isPatience) options.log.warn('the batch waits for the chain', fields);
      else options.log.error('nothing could be settled', fields);
    },
  });
}

class Settling {
  readonly #options: SettleOptions;
  readonly #chainId: string;
  #gathering = new Gathering(0);
  #readTo = 0;
  /** What waits may wait for a tenant to pay in: the chain is not asked for it all the time. */
  #nextLookMs = 0;

  constructor(options: SettleOptions) {
    this.#options = options;
    this.#chainId = String(options.chain.deployment.chainId);
  }

  /** Sends what is sealed, or else seals what is due. What a crash interrupts begins here again. */
  async step(signal: AbortSignal): Promise<void> {
    const { settlements, isPlanned } = this.#options;
    const { state } = await settlements.load(this.#chainId);
    const { unsettled, halted } = state;
    // What was signed may be on the chain already; what was not waits until somebody lets it go on.
    if (halted !== undefined && (unsettled === undefined || !(await isPlanned(`settle:${unsettled}`))))
      return;
    if (unsettled !== undefined) return this.#submit(unsettled, state);
    await this.#seal(state, signal);
  }

  /** The journal holds one transaction for each batch, so that whoever comes here again waits for the same one. */
  async #submit(batchId: string, { open }: Settlement): Promise<void> {
    const { chain, openSender, log } = this.#options;
    const { root, netAtto: net, chargedAt, debits } = open.get(batchId)!;
    const call = settleCall(chain.deployment, { batch: bytes32Of(batchId), root, net, chargedAt, debits });
    crashPoint('before-publish');
    const sender = await openSender();
    const { succeeded, hash } = await sender.send(`settle:${batchId}`, call);
    crashPoint('after-puback');
    if (!succeeded) throw new Error(`${batchId} was reverted in ${hash}: a person has to see why`);
    log.info('a batch is on the chain', { batchId, hash, debits: debits.length });
  }

  async #seal(state: Settlement, signal: AbortSignal): Promise<void> {
    const { escrows, everyMs, chargesMax } = this.#options;
    const { state: escrow } = await escrows.load(this.#chainId);
    await this.#gather(state.sealedTo, signal);
    const gathered = this.#gathering;
    const due = { everyMs, chargesMax, nowMs: Date.now() };
    const waiting = waitingTerms(state, escrow);
    if (gathered.isDue(due)) return this.#sealWith(state, escrow, gathered.terms!, gathered);
    if (gathered.terms !== undefined || !waiting || Date.now() < this.#nextLookMs) return;
    this.#nextLookMs = Date.now() + Math.min(everyMs, lookAtWaitingMs);
    await this.#sealWith(state, escrow, waiting, gathered);
  }

  /** Reads the ledger on from where it was read to; from the beginning of the range after a batch. */
  async #gather(sealedTo: number, signal: AbortSignal): Promise<void> {
    const { bus } = this.#options;
    if (this.#gathering.from !== sealedTo) {
      this.#gathering = new Gathering(sealedTo);
      this.#readTo = sealedTo;
    }
    const range = { reads: ['billing.account'] as const, afterPosition: this.#readTo, batchSize: readAtOnce };
    for await (const batch of eventBatches(bus, { ...range, signal })) {
      for (const recorded of batch as readonly Recorded<AccountEvent>[]) {
        if (!this.#gathering.take(recorded)) return;
        this.#readTo = recorded.position;
      }
    }
  }

  async #sealWith(state: Settlement, escrow: Escrow, terms: FeeTerms, gathered: Gathering): Promise<void> {
    const chargedAt = await this.#timeOf(terms, escrow);
    if (chargedAt === undefined) throw new Error(`the chain does not answer for a fee of ${terms.feeBps}`);
    const { shares, to: toPosition } = gathered;
    const owners = new Set(
      [...shares, ...state.waiting.values()].flatMap(of => [of.tenantId, of.operatorId]),
    );
    const due = dueOf([...shares, ...state.waiting.values()], terms);
    const wallets: { ownerId: string; address: string }[] = [];
    for (const ownerId of owners) {
      const address = escrow.walletOf.get(ownerId);
      if (address === undefined) continue;
      if (await this.#isGood(due.get(ownerId) ?? 0n, address)) wallets.push({ ownerId, address });
    }
    const chainId = Number(this.#chainId);
    const range = { chainId, fromPosition: state.sealedTo, toPosition, ...termsIn(terms), chargedAt };
    await this.#request({ type: 'SealBatch', data: { ...range, shares, wallets } });
  }

  /** One tenant that has left without the platform must not make the settlement of all others revert. */
  async #isGood(dueAtto: bigint, address: string): Promise<boolean> {
    if (dueAtto === 0n) return true;
    const { pool, deployment } = this.#options.chain;
    return canPay(dueAtto, await fundsOf(pool, deployment, address), new Date());
  }

  /** A second at which the contract will compute the fee that the charges were made with. */
  async #timeOf(terms: FeeTerms, { schedules }: Escrow): Promise<Date | undefined> {
    const { pool, deployment, finalityBlocks } = this.#options.chain;
    const block = await finalBlock(pool, finalityBlocks);
    // The contract answers for seconds that are over.
    const time = new Date(block.time.getTime() - 1_000);
    const inForce = await feeAt(pool, deployment, time).catch((error: unknown) => {
      if (error instanceof RpcRefused) return undefined;
      throw error;
    });
    if (inForce && isSameFee(inForce, terms)) return time;
    const next = schedules[schedules.findLastIndex(schedule => isSameFee(schedule, terms)) + 1];
    return schedules.some(schedule => isSameFee(schedule, terms)) && next
      ? new Date(next.since.getTime() - 1_000)
      : undefined;
  }

  async #request(command: SettlementCommand & { readonly data: SealBatch }): Promise<void> {
    const { commands, log } = this.#options;
    const { fromPosition, toPosition } = command.data;
    const id = newId('cmd');
    const metadata = { correlationId: id, causationId: id, actor: 'service:billing' };
    const to = { type: 'billing.settlement', id: this.#chainId } as const;
    const outcome = await commands.request({ to, ...command }, { id, metadata, timeoutMs: outcomeTimeoutMs });
    if (!outcome) throw new Error('nobody has decided on the batch in time');
    if (!outcome.accepted) throw new Error(`${outcome.rejection}: ${outcome.detail}`);
    if (outcome.changed) log.info('charges are sealed', { fromPosition, toPosition });
  }
}

/** The fee of the share that waits longest among those that have their wallets by now. */
function waitingTerms({ waiting }: Settlement, { walletOf }: Escrow): FeeTerms | undefined {
  for (const share of waiting.values())
    if (walletOf.has(share.tenantId) && walletOf.has(share.operatorId)) return share;
  return undefined;
}
