import { equal, ok } from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import type { AccountCommand, AccountEvent, IncomingTransfer } from '@astro/messages/billing';
import { changeOf, escrowCustody, postingsIn, tenantAccount } from '@astro/messages/ledger-accounts';
import fc from 'fast-check';
import { account } from './account.js';
import type { Account } from './state.js';

const tenants = ['t1', 't2', 't3'];

/** Accounts, and the stream that they are recorded in; every command reaches them in whatever order the test likes. */
class Ledger {
  readonly stream: AccountEvent[] = [];
  readonly #accounts = new Map<string, Account>();

  execute(command: AccountCommand): void {
    const { tenantId } = command.data;
    let state = this.#accounts.get(tenantId) ?? account.initialState;
    const decision = account.decide(command, state);
    for (const event of decision.accepted ? decision.events : []) {
      this.stream.push(event);
      state = account.evolve(state, event);
    }
    this.#accounts.set(tenantId, state);
  }

  balances(): Map<string, bigint> {
    const balances = new Map<string, bigint>();
    for (const event of this.stream) {
      for (const { account } of postingsIn(event)) balances.set(account, 0n);
    }
    for (const name of balances.keys()) {
      for (const event of this.stream)
        balances.set(name, balances.get(name)! + changeOf(name, postingsIn(event)));
    }
    return balances;
  }
}

/** What the reactor sends for a part of the stream: one command for each receiver. Positions begin with 1. */
function receiptsOf(stream: readonly AccountEvent[], from: number, to: number): readonly AccountCommand[] {
  const byReceiver = new Map<string, IncomingTransfer[]>();
  for (let position = from + 1; position <= to; position++) {
    const { type, data } = stream[position - 1]!;
    if (type !== 'FundsTransferred') continue;
    const amountAtto = changeOf(tenantAccount(data.toTenantId, 'incoming'), data.postings);
    const transfers = byReceiver.get(data.toTenantId) ?? [];
    byReceiver.set(data.toTenantId, [...transfers, { position, transferId: data.transferId, amountAtto }]);
  }
  return [...byReceiver].map(([tenantId, transfers]) => ({
    type: 'ReceiveTransfers',
    data: { tenantId, transfers },
  }));
}

type Step =
  | { readonly kind: 'command'; readonly command: AccountCommand }
  /** The reactor takes so many events and sends what follows; when it dies, some are sent and none is acknowledged. */
  | { readonly kind: 'receive'; readonly events: number; readonly diesAfter: number | undefined }
  /** A command from before comes once more. */
  | { readonly kind: 'redeliver'; readonly which: number };

const tenant = fc.constantFrom(...tenants);
const commands = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(tenant, tenant, fc.nat(30), fc.bigInt(-1n, 90n))
      .map(([tenantId, toTenantId, n, amountAtto]): AccountCommand => {
        const rest = { currency: 'ASTRO', requestedAt: new Date(n) };
        return {
          type: 'TransferFunds',
          data: { tenantId, transferId: `${n}`, toTenantId, amountAtto, ...rest },
        };
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(tenant, fc.nat(5), fc.bigInt(0n, 90n))
      .map(([tenantId, n, amountAtto]): AccountCommand => ({
        type: 'ReserveFunds',
        data: { tenantId, jobId: `job_${n}`, amountAtto },
      })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(tenant, fc.nat(5)).map(([tenantId, n]): AccountCommand => ({
      type: 'ReleaseFunds',
      data: { tenantId, jobId: `job_${n}`, expectedCharges: 0 },
    })),
  },
);
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: commands.map((command): Step => ({ kind: 'command', command })) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 6 }), fc.option(fc.nat(2), { nil: undefined }))
        .map(([events, diesAfter]): Step => ({ kind: 'receive', events, diesAfter })),
    },
    { weight: 2, arbitrary: fc.nat(100).map((which): Step => ({ kind: 'redeliver', which })) },
  ),
  { minLength: 1, maxLength: 80, size: 'max' },
);

function run(history: readonly Step[], check: (ledger: Ledger) => void): Ledger {
  const ledger = new Ledger();
  const sent: AccountCommand[] = [];
  const send = (command: AccountCommand) => {
    sent.push(command);
    ledger.execute(command);
    check(ledger);
  };
  for (const tenantId of tenants)
    send({ type: 'CreditAccount', data: { tenantId, creditId: 'c', amountAtto: 100n } });
  let acknowledged = 0;
  const receive = (events: number, diesAfter?: number) => {
    const to = Math.min(acknowledged + events, ledger.stream.length);
    const receipts = receiptsOf(ledger.stream, acknowledged, to);
    for (const command of receipts.slice(0, diesAfter)) send(command);
    if (diesAfter === undefined) acknowledged = to;
  };
  for (const step of history) {
    if (step.kind === 'command') send(step.command);
    else if (step.kind === 'receive') receive(step.events, step.diesAfter);
    else send(sent[step.which % sent.length]!);
  }
  while (acknowledged < ledger.stream.length) receive(1_000);
  return ledger;
}

test('whatever is repeated, regrouped or cut off, all money sums to zero and none is spent twice', () =>
  fc.assert(
    fc.property(steps, history => {
      const ledger = run(history, ({ stream }) => {
        const last = stream.at(-1);
        equal(
          postingsIn(last).reduce((sum, { amountAtto }) => sum + amountAtto, 0n),
          0n,
        );
      });
      const running = new Map<string, bigint>();
      for (const { account, amountAtto } of ledger.stream.flatMap(postingsIn)) {
        const after = (running.get(account) ?? 0n) + amountAtto;
        running.set(account, after);
        if (account !== escrowCustody) ok(after >= 0n, `${account} was at ${after}`);
      }
      const balances = ledger.balances();
      equal(
        [...balances.values()].reduce((sum, balance) => sum + balance, 0n),
        0n,
      );
      equal(balances.get(escrowCustody), -300n);
      for (const tenantId of tenants) equal(balances.get(tenantAccount(tenantId, 'incoming')) ?? 0n, 0n);
    }),
    { numRuns: 1_000 },
  ));

test('a command that comes again moves nothing', () =>
  fc.assert(
    fc.property(steps, history => {
      const once = run(
        history.filter(step => step.kind !== 'redeliver'),
        () => undefined,
      );
      const transfers = once.stream.filter(({ type }) => type === 'FundsTransferred');
      const keys = transfers.map(
        ({ data }) => `${data.tenantId} ${'transferId' in data ? data.transferId : ''}`,
      );
      equal(new Set(keys).size, keys.length);
      const repeated = run(
        history.filter(step => step.kind === 'command').flatMap(step => [step, step]),
        () => undefined,
      );
      const alone = run(
        history.filter(step => step.kind === 'command'),
        () => undefined,
      );
      expect(repeated.balances()).toEqual(alone.balances());
    }),
    { numRuns: 500 },
  ));
