import type { Deployment } from '@astro/chain/deployment/addresses';
import { finalBlock } from '@astro/chain/escrow/calls';
import type { RpcPool } from '@astro/chain/rpc/pool';
import {
  accusationTerms,
  accuseCall,
  bondCall,
  caseAt,
  caseCall,
  caseOpenedIn,
  isAnswered,
  slashedFor,
  stakeOf,
} from '@astro/chain/slashing/calls';
import { canonicalHash } from '@astro/chain/statements/canonical-hash';
import type { Settled } from '@astro/chain/transactions/journal';
import type { TransactionSender } from '@astro/chain/transactions/sender';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { Bus } from '@astro/jetstream/bus';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { crashPoint } from '@astro/jetstream/crash-point';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Unit } from '@astro/jetstream/shared-work';
import type { AccusationCommand, AccusationEvent } from '@astro/messages/verification';
import { unfinishedAccusations, type Accusation as Row } from '@astro/read-models/verification/accusations';
import type { EntityManager } from '@mikro-orm/postgresql';
import { bundleOfFault } from './bundle-of-fault.reader.js';
import { faults, isFaultKind } from '../evidence/faults.js';
import type { Statement } from '../evidence/statement.js';
import type { Accusation } from './accusation.js';

/** The chain on which stakes are, and who accuses there. */
export type AccuserAccess = {
  readonly deployment: Deployment;
  readonly pool: RpcPool;
  readonly accuser: string;
  /** How deep a final block is; without it the nodes are asked. */
  readonly finalityBlocks: number | undefined;
};

export type AccuseOptions = {
  readonly bus: Bus;
  readonly commands: CommandBus;
  readonly accusations: AggregateStore<Accusation, AccusationCommand, AccusationEvent>;
  readonly chain: AccuserAccess;
  /** Called by the one process that accuses, once it does. */
  openSender(): Promise<TransactionSender>;
  /** How the transaction under this business key ended; undefined before it has. */
  settledUnder(key: string): Promise<Settled | undefined>;
  /** Addresses that the operator has linked on the chain, the last one first. */
  addressesOf(operatorId: string): Promise<readonly string[]>;
  readTables(): EntityManager;
  readonly pollMs: number;
  readonly log: Log;
};

const rowsAtOnce = 50;
const outcomeTimeoutMs = 15_000;

/** Accuses, and carries each case to its end: by one process, whose journal has each transaction once. */
export const accuseUnit = (options: AccuseOptions): Unit => ({
  name: 'accuse',
  open() {
    const work = new Accusing(options);
    return new Rounds({
      round: signal => work.round(signal),
      pollMs: options.pollMs,
      failed: (error, failures) =>
        options.log.error('an accusation could not be carried on', { reason: reasonOf(error), failures }),
    });
  },
});

class Accusing {
  readonly #options: AccuseOptions;
  #sender: Promise<TransactionSender> | undefined;

  constructor(options: AccuseOptions) {
    this.#options = options;
  }

  /** One that fails does not keep the others waiting. What a crash interrupts is found again in the next round. */
  async round(signal: AbortSignal): Promise<void> {
    const failures: unknown[] = [];
    for (let after = ''; !signal.aborted;) {
      const rows = await unfinishedAccusations(this.#options.readTables(), after, rowsAtOnce);
      for (const row of rows) await this.#carryOn(row).catch((error: unknown) => failures.push(error));
      const last = rows.at(-1);
      if (!last) break;
      after = last.faultId;
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The table only tells which there are: what is to be done follows from the events. */
  async #carryOn(row: Row): Promise<void> {
    const { state } = await this.#options.accusations.load(row.faultId);
    switch (state.status) {
      case 'recorded':
        return this.#prepare(row);
      case 'prepared':
        return this.#send(row, state.prepared!);
      case 'sent':
        return this.#follow(row, state);
      case 'absent':
      case 'waived':
      case 'closed':
        return;
    }
  }

  async #prepare(row: Row): Promise<void> {
    const { pool, deployment, accuser } = this.#options.chain;
    const { faultId, kind } = row;
    const evidence = await bundleOfFault(this.#options.bus, row);
    if (typeof evidence === 'string')
      return this.#request({ type: 'WaiveAccusation', data: { faultId, reason: evidence } });
    const staked = isFaultKind(kind) ? await this.#stakedBy(row.operatorId, faults[kind].role) : undefined;
    if (!staked)
      return this.#request({
        type: 'WaiveAccusation',
        data: { faultId, reason: `${row.operatorId} has staked nothing` },
      });
    if (!staked.hasRoom) return;
    const { maxSlashBps } = await accusationTerms(pool, deployment, accuser);
    const fractionBps = Math.min(evidence.statement.fractionBps, maxSlashBps);
    const { chainId } = deployment;
    const { address } = staked;
    await this.#request({
      type: 'PrepareAccusation',
      data: { faultId, evidence: canonicalHash(evidence.bundle), chainId, address, fractionBps },
    });
  }

  async #stakedBy(operatorId: string, role: Statement['role']) {
    const { pool, deployment } = this.#options.chain;
    for (const address of await this.#options.addressesOf(operatorId)) {
      const { slashableAtto, hasRoom } = await stakeOf(pool, deployment, role, address);
      if (slashableAtto > 0n) return { address, hasRoom };
    }
    return undefined;
  }

  async #send(row: Row, { evidence, address, fractionBps }: NonNullable<Accusation['prepared']>) {
    const { chain, log } = this.#options;
    const { pool, deployment, accuser } = chain;
    const { faultId, kind } = row;
    if (!isFaultKind(kind)) return;
    const key = `accuse:${faultId}`;
    // A process that has just begun has no journal before it has a sender.
    await this.#opened();
    if (!(await this.#options.settledUnder(key))) {
      const { bondAtto, allowedAtto } = await accusationTerms(pool, deployment, accuser);
      if (allowedAtto < bondAtto) await this.#sendOnce(`bond:${faultId}`, bondCall(deployment, bondAtto));
    }
    const { role } = faults[kind];
    const call = accuseCall(deployment, { role, address, fractionBps, evidence });
    const { hash } = await this.#sendOnce(key, call);
    const opened = await caseOpenedIn(pool, deployment, hash);
    if (!opened) throw new Error(`${hash} opened no case: a person has to see why`);
    await this.#request({ type: 'NoteAccusation', data: { faultId, ...opened } });
    log.info('an operator is accused on the chain', { faultId, caseId: opened.caseId, hash });
  }

  async #follow(row: Row, { caseId = '', isRight, stands, prepared }: Accusation): Promise<void> {
    const { pool, deployment, finalityBlocks } = this.#options.chain;
    const { faultId } = row;
    const { number, time } = await finalBlock(pool, finalityBlocks);
    const accusedIn = (await this.#options.settledUnder(`accuse:${faultId}`))?.block ?? number;
    // What another node calls final may be from before the accusation.
    if (number < accusedIn) return;
    const { status, endsAt } = await caseAt(pool, deployment, caseId, number);
    if (status !== stands) {
      const isOver = status !== 'upheld' && status !== 'appealed';
      const slashedAtto = isOver ? await slashedFor(pool, deployment, caseId, accusedIn, number) : 0n;
      const data = { faultId, status, slashedAtto, ...(!isOver && { endsAt }) };
      return this.#request({ type: 'FollowCase', data });
    }
    if (status === 'open' && isRight === false)
      return void (await this.#sendOnce(`dismiss:${faultId}`, caseCall(deployment, 'dismiss', caseId)));
    if (time <= endsAt) return;
    if (status === 'upheld' || status === 'appealed')
      return void (await this.#sendOnce(`${status}:${faultId}`, caseCall(deployment, 'execute', caseId)));
    if (isRight)
      return void (await this.#sendOnce(`uphold:${faultId}`, caseCall(deployment, 'uphold', caseId)));
    // Whoever has answered is judged by a person.
    if (await isAnswered(pool, deployment, caseId, accusedIn, number)) return;
    await this.#decide(row, prepared!.evidence);
  }

  async #decide(row: Row, evidence: string): Promise<void> {
    const { faultId } = row;
    const again = await bundleOfFault(this.#options.bus, row);
    const isRight = typeof again !== 'string' && canonicalHash(again.bundle) === evidence;
    const reason = isRight ? 'nobody has answered, and the evidence holds' : 'the evidence does not hold';
    await this.#request({ type: 'DecideCase', data: { faultId, isRight, reason } });
  }

  #opened(): Promise<TransactionSender> {
    this.#sender ??= this.#options.openSender().catch((error: unknown) => {
      this.#sender = undefined;
      throw error;
    });
    return this.#sender;
  }

  /** @throws Error when the chain reverted it */
  async #sendOnce(key: string, call: Parameters<TransactionSender['send']>[1]): Promise<Settled> {
    const sender = await this.#opened();
    crashPoint('before-publish');
    const settled = await sender.send(key, call);
    crashPoint('after-puback');
    if (!settled.succeeded)
      throw new Error(`${key} was reverted in ${settled.hash}: a person has to see why`);
    return settled;
  }

  async #request(
    command: AccusationCommand & { readonly data: { readonly faultId: string } },
  ): Promise<void> {
    const id = newId('cmd');
    const metadata = { correlationId: id, causationId: id, actor: 'service:verification' };
    const to = { type: 'verification.accusation', id: command.data.faultId } as const;
    const outcome = await this.#options.commands.request(
      { to, ...command },
      { id, metadata, timeoutMs: outcomeTimeoutMs },
    );
    if (!outcome) throw new Error(`nobody has decided on ${command.type} in time`);
    if (!outcome.accepted) throw new Error(`${outcome.rejection}: ${outcome.detail}`);
  }
}
