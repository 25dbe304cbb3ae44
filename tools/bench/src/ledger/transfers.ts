import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { replay } from '@astro/jetstream/replay';
import type { AccountCommand } from '@astro/messages/billing';
import { escrowCustody, ledgerAccountIn, postingsIn } from '@astro/messages/ledger-accounts';
import type { Instance } from '../instance.js';

export const ACCOUNTS = 1_000;
export const CREDIT_ATTO = 1_000_000n;
const AMOUNT_ATTO = 7n;
const CALLERS = 256;
const TIMEOUT_MS = 60_000;

const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };

/** Runs `act` so many times, 256 of them at a time. */
export async function times(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const call = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

/** Tenants with money, who give to each other. */
export class Tenants {
  readonly #commands: CommandBus;
  readonly #ids = Array.from({ length: ACCOUNTS }, () => newId('tenant'));

  constructor(bus: Bus) {
    this.#commands = new CommandBus(bus, `bench-${process.pid}`);
  }

  credit(): Promise<void> {
    return times(ACCOUNTS, index => {
      const tenantId = this.#ids[index]!;
      const data = { tenantId, creditId: 'credit_1', amountAtto: CREDIT_ATTO, causePosition: 1 };
      return this.#request({ type: 'CreditAccount', data });
    });
  }

  /** @param spread how many of the tenants give; every one receives */
  give(index: number, spread = ACCOUNTS): Promise<void> {
    const from = index % spread;
    const to = (from + 1 + ((index * 7) % (ACCOUNTS - 1))) % ACCOUNTS;
    const data = {
      tenantId: this.#ids[from]!,
      toTenantId: this.#ids[to]!,
      transferId: newId('transfer'),
      amountAtto: AMOUNT_ATTO,
      currency: 'ASTRO',
      requestedAt: new Date(),
    };
    return this.#request({ type: 'TransferFunds', data });
  }

  async #request(command: AccountCommand): Promise<void> {
    const directed = { to: { type: 'billing.account', id: command.data.tenantId } as const, ...command };
    const id = newId('cmd');
    const outcome = await this.#commands.request(directed, { id, metadata, timeoutMs: TIMEOUT_MS });
    if (!outcome?.changed) throw new Error(`a command was not carried out: ${JSON.stringify(outcome)}`);
  }
}

/** Waits until so many transfers can be spent by who received them. */
export async function spendable(instance: Instance, count: number): Promise<void> {
  for (
    const deadline = performance.now() + TIMEOUT_MS;
    (await instance.received()) < count;
    await sleep(20)
  ) {
    if (performance.now() > deadline) throw new Error('the transfers were not received in time');
  }
}

/**
 * Reads every event again.
 * @returns how many postings there are, and how many transfers
 * @throws Error when the sums are wrong, or money is still on its way
 */
export async function checkedSums(
  bus: Bus,
): Promise<{ readonly postings: number; readonly transfers: number }> {
  const balances = new Map<string, bigint>();
  const count = { postings: 0, transfers: 0 };
  for await (const { event } of replay(bus, 'billing')) {
    if (event.type === 'FundsTransferred') count.transfers += 1;
    for (const { account, amountAtto } of postingsIn(event)) {
      balances.set(account, (balances.get(account) ?? 0n) + amountAtto);
      count.postings += 1;
    }
  }
  let total = 0n;
  for (const [account, balance] of balances) {
    total += balance;
    const read = ledgerAccountIn(account);
    const isOnItsWay = read?.owner === 'tenant' && read.kind === 'incoming' && balance !== 0n;
    if (isOnItsWay || (balance < 0n && account !== escrowCustody)) {
      throw new Error(`${account} holds ${balance}`);
    }
  }
  if (total !== 0n) throw new Error(`the ledger sums to ${total}`);
  if (balances.get(escrowCustody) !== -CREDIT_ATTO * BigInt(ACCOUNTS)) throw new Error('credit was lost');
  return count;
}
