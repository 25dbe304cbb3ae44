import { setTimeout as sleep } from 'node:timers/promises';
import { Archive } from '@astro/archive/archive';
import { stateFrom, textFrom } from '@astro/archive/invoice/from-archive';
import { flawsOf, invoiceSchema } from '@astro/archive/invoice/invoice';
import { startGround, type Ground } from '@astro/devstack/ground';
import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { silent } from '@astro/jetstream/log';
import { Snapshots } from '@astro/jetstream/snapshots';
import type { AccountCommand, AccountEvent, InvoiceEvent, StorageCommand } from '@astro/messages/billing';
import { endOf, invoiceIdOf, monthOf } from '@astro/messages/invoice-month';
import type { JobEvent, JobSpec, Result } from '@astro/messages/scheduling';
import { pageOfAlerts } from '@astro/read-models/billing/alerts';
import { balanceOfTenant, earningsOfOperator } from '@astro/read-models/billing/balances';
import { budgetsOf, spentAt } from '@astro/read-models/billing/budgets';
import { findInvoice, findInvoicedMonth } from '@astro/read-models/billing/invoices';
import { entriesOfJob, ledgerSum } from '@astro/read-models/billing/ledger';
import { findStorageUsage } from '@astro/read-models/billing/storage';
import { findUsage } from '@astro/read-models/billing/usage';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import { account } from './account/account.js';
import { billingConfig } from './billing.config.js';
import { BillingModule } from './billing.module.js';
import { makeInvoices, type MakeInvoicesOptions } from './invoice/make-invoices.unit.js';
import { plainJob, plainRequirements } from '@astro/messages/unconstrained';

type StorageChargedEvent = Extract<AccountEvent, { type: 'StorageCharged' }>;

let ground: Ground;
let service: Service;
let commands: CommandBus;

const keeper = newId('operator');
/** A base unit for each GiB and millisecond; a period is short, so that none is waited for. */
const storageTerms = {
  STORAGE_PRICE_PER_GIB_HOUR_ATTO: '3600000',
  STORAGE_OPERATOR_ID: keeper,
  STORAGE_CHARGE_EVERY_MS: '200',
};

function openBilling(): Promise<Service> {
  const config = readConfig(billingConfig, { ...ground.environment, ...storageTerms });
  const log = jsonLog('billing', config.LOG_LEVEL);
  return openService({ name: 'billing', module: BillingModule.with(config), config }, log);
}

beforeAll(async () => {
  ground = await startGround('billing');
  commands = new CommandBus(ground.bus, 'billing-spec');
  service = await openBilling();
}, 120_000);

afterAll(async () => {
  await service.stop();
  await ground.stop();
});

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const database = () => service.app.get(MikroORM).em.fork();

const request = (command: AccountCommand) =>
  commands.request(
    { to: { type: 'billing.account', id: command.data.tenantId }, ...command },
    { id: newId('cmd'), metadata, timeoutMs: 30_000 },
  );
const credit = (tenantId: string, creditId: string, amountAtto: bigint) =>
  request({ type: 'CreditAccount', data: { tenantId, creditId, amountAtto } });

/** Records what scheduling would record for one job. */
async function record(jobId: string, events: readonly JobEvent[]): Promise<void> {
  const store = new EventStore(ground.bus);
  const aggregate = { type: 'scheduling.job', id: jobId } as const;
  for (const event of events) {
    const expectedPosition = (await store.load(aggregate)).at(-1)?.position ?? 0;
    await store.append(aggregate, [event], { expectedPosition, commandId: newId('cmd'), metadata });
  }
}

/** Reads until the read model has caught up; only Jest's own time-out ends it otherwise. */
async function eventually<T>(read: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isThere(value)) return value;
    await sleep(20);
  }
}

const spec: JobSpec = {
  name: 'train',
  program: { cid: 'c', timeLimitMs: 1_000, memoryLimitMib: 1, outputLimitBytes: 1 },
  requirements: {
    ...plainRequirements,
    deviceKind: 'cpu',
    cpuMillis: 1,
    memoryMib: 1,
    maxPricePerSecondAtto: 100n,
  },
  tasks: [{ taskId: 'task_1', inputs: [], args: [] }],
  quorum: 2,
  ...plainJob,
};
const resultOf = (operatorId: string): Result => ({
  leaseId: `lease_${operatorId}`,
  nodeId: `node_${operatorId}`,
  operatorId,
  fault: 'none',
  digest: 'd',
  outputs: [],
  meteredMs: 2_000,
  pricePerSecondAtto: 1_000n,
});

test('a job is paid for out of its reservation, and the rest comes back', async () => {
  const tenantId = newId('tenant');
  const jobId = newId('job');
  const ids = { tenantId, jobId };
  expect(await credit(tenantId, 'credit_1', 10_000n)).toMatchObject({ accepted: true, changed: true });
  const budget = { budgetId: 'b', amountAtto: 8_000n, period: 'none', atLimit: 'hard_stop' } as const;
  await request({ type: 'SetBudget', data: { tenantId, budget: { ...budget, thresholds: [50, 51] } } });
  await record(jobId, [
    { type: 'JobSubmitted', data: { ...ids, poolId: 'main', spec, maxCostAtto: 6_000n } },
  ]);
  const held = await eventually(
    () => balanceOfTenant(database(), tenantId),
    balance => balance.reservedAtto > 0n,
  );
  expect(held).toMatchObject({ availableAtto: 4_000n, reservedAtto: 6_000n });

  const work = [resultOf('o1'), resultOf('o2')];
  await record(jobId, [
    { type: 'TaskSucceeded', data: { ...ids, taskId: 'task_1', outputs: [], digest: 'd', work } },
    { type: 'JobSucceeded', data: { ...ids, tasksSucceeded: 1 } },
  ]);
  const rest = await eventually(
    () => balanceOfTenant(database(), tenantId),
    balance => balance.reservedAtto === 0n,
  );
  expect(rest).toMatchObject({ availableAtto: 6_000n, reservedAtto: 0n });
  expect(await earningsOfOperator(database(), 'o1')).toBe(1_950n);
  expect(await earningsOfOperator(database(), 'o2')).toBe(1_950n);
  const usage = await eventually(
    () => findUsage(database(), tenantId, jobId),
    row => row !== null,
  );
  expect(usage).toMatchObject({ chargedAtto: 4_000n, feeAtto: 100n, burnedAtto: 20n, meteredMs: 4_000 });
  // All that was charged is counted, and the half of the budget was reached with it.
  const [counted] = await eventually(
    () => budgetsOf(database(), tenantId),
    ([{ committedAtto, spentAtto } = { committedAtto: 0n, spentAtto: 0n }]) =>
      spentAtto > 0n && committedAtto === 0n,
  );
  expect(spentAt(counted!, new Date())).toBe(4_000n);
  const told = await eventually(
    () => pageOfAlerts(database(), tenantId, { limit: 9 }),
    ({ items }) => items.length > 0,
  );
  expect(told.items).toMatchObject([{ kind: 'budget_charged', threshold: 50, spentAtto: 4_000n }]);
  // Two postings of the reservation, five of the charge, two of the release.
  await eventually(
    () => entriesOfJob(database(), jobId),
    entries => entries.length === 9,
  );
  expect(await ledgerSum(database())).toBe(0n);
}, 60_000);

/** Charged 3,000 twice, in two tasks, and 1,000 for kept content. */
async function chargedTenant(): Promise<{ readonly tenantId: string; readonly jobId: string }> {
  const about = { tenantId: newId('tenant'), jobId: newId('job') };
  await credit(about.tenantId, 'credit_1', 11_000n);
  await request({ type: 'ReserveFunds', data: { ...about, amountAtto: 10_000n } });
  for (const taskId of ['task_1', 'task_2']) {
    const work = [{ ...resultOf('o3'), meteredMs: 3_000 }];
    await request({ type: 'ChargeTask', data: { ...about, taskId, work, feeBps: 250, burnBps: 2_000 } });
  }
  const period = { from: new Date(0), through: new Date(3_600_000), gibHoursAtto: 10n ** 18n };
  const terms = { pricePerGibHourAtto: 1_000n, operatorId: 'o3', feeBps: 250, burnBps: 2_000 };
  await request({ type: 'ChargeStorage', data: { tenantId: about.tenantId, ...period, ...terms } });
  return about;
}

test('a month is closed once when it is over, by the root that verification recomputes', async () => {
  const tenants = [await chargedTenant(), await chargedTenant()].map(({ tenantId }) => tenantId);
  const month = monthOf(new Date());
  const archive = new Archive({ url: ground.environment['DATABASE_URL']!, schema: 'billing' });
  const at = (now: Date): MakeInvoicesOptions => ({
    ...{ bus: ground.bus, commands, archive, em: database, afterMs: 1_000, pollMs: 1_000, log: silent },
    now: () => now,
  });
  const made = async (tenantId: string) =>
    (
      await new EventStore(ground.bus).load({ type: 'billing.invoice', id: invoiceIdOf(tenantId, month) })
    ).map(({ event }) => event as InvoiceEvent);
  await eventually(
    () => Promise.all(tenants.map(tenantId => findInvoicedMonth(database(), tenantId, month))),
    months => months.every(row => row?.charges === 3),
  );
  await makeInvoices(at(new Date(endOf(month).getTime() + 999)));
  for (const tenantId of tenants) expect(await made(tenantId)).toEqual([]);

  // Two processes at once, and one more that comes later: a round is repeated until everything is archived.
  const over = at(new Date(endOf(month).getTime() + 1_000));
  await eventually(
    async () => {
      await Promise.all([makeInvoices(over), makeInvoices(over)]);
      return Promise.all(tenants.map(made));
    },
    events => events.every(({ length }) => length > 0),
  );
  await makeInvoices(over);
  for (const tenantId of tenants) {
    const [issued, ...more] = await made(tenantId);
    expect(more).toEqual([]);
    const stated = { tenantId, month, charges: 3, meteredMs: 6_000, totalAtto: 7_000n, feeAtto: 175n };
    const parts = { storageAtto: 1_000n, burnedAtto: 35n, validatorsAtto: 0n };
    expect(issued).toMatchObject({ type: 'InvoiceIssued', data: { statement: { ...stated, ...parts } } });
    const { number, statement } = (issued as Extract<InvoiceEvent, { type: 'InvoiceIssued' }>).data;
    const { throughPosition, root } = statement;
    const recomputed = await stateFrom(archive, { tenantId, month }, { throughPosition });
    expect(recomputed.statement).toEqual(statement);
    let text = '';
    for await (const part of textFrom(archive, recomputed, { number, status: 'issued' })) text += part;
    expect(flawsOf(invoiceSchema.parse(JSON.parse(text)), root)).toEqual([]);
  }
  await archive.close();
}, 60_000);

test('a draft is made when it is asked for, of what was charged until then', async () => {
  const { tenantId } = await chargedTenant();
  const month = monthOf(new Date());
  const to = { type: 'billing.invoice', id: invoiceIdOf(tenantId, month) } as const;
  const data = { tenantId, month, requestedAt: new Date() };
  const options = { id: newId('cmd'), metadata, timeoutMs: 30_000 };
  const until = await lastPositionOf(ground.bus, ['billing.account']);
  await commands.request({ to, type: 'RequestInvoice', data }, options);
  const draft = await eventually(
    () => findInvoice(database(), tenantId, `${to.id}-1`),
    row => row !== null,
  );
  expect(draft).toMatchObject({ status: 'draft', charges: 3, totalAtto: 7_000n, month });
  expect(draft!.throughPosition).toBeGreaterThanOrEqual(until);
}, 60_000);

test('a credit of another amount under the same id is refused to the requester', async () => {
  const tenantId = newId('tenant');
  await credit(tenantId, 'credit_1', 5n);
  const detail = 'amountAtto: was 5';
  const refused = { accepted: false, rejection: 'CreditExists', detail };
  expect(await credit(tenantId, 'credit_1', 6n)).toMatchObject(refused);
}, 60_000);

test('a restarted service goes on from the snapshot of a long account', async () => {
  const tenantId = newId('tenant');
  await Promise.all(Array.from({ length: 520 }, (_, index) => credit(tenantId, `credit_${index}`, 1n)));
  const aggregate = { type: 'billing.account', id: tenantId } as const;
  const snapshots = new Snapshots(ground.bus);
  const found = await eventually(
    () => snapshots.read(aggregate),
    snapshot => snapshot !== undefined,
  );
  // It says what no event says, so that it shows where a state was read.
  const { encode, decode } = account.snapshot!;
  const state = encode({ ...decode(found!.state), availableAtto: 1_000_000n });
  await snapshots.write(aggregate, { ...found!, state });
  await service.stop();
  service = await openBilling();

  const late = await credit(tenantId, 'credit_519', 2n);
  expect(late).toMatchObject({ accepted: false, rejection: 'CreditExists', detail: 'amountAtto: was 1' });
  const jobId = newId('job');
  await request({ type: 'ReserveFunds', data: { tenantId, jobId, amountAtto: 900_000n } });
  const [last] = (await new EventStore(ground.bus).load(aggregate)).slice(-1);
  expect(last!.event).toMatchObject({ type: 'FundsReserved', data: { jobId } });
}, 120_000);

test('what is kept for a tenant is charged by size and time, period by period, until it is given back', async () => {
  const tenantId = newId('tenant');
  await credit(tenantId, 'credit_1', 10n ** 12n);
  const send = (command: StorageCommand) =>
    commands.request(
      { to: { type: 'billing.storage', id: tenantId }, ...command },
      { id: newId('cmd'), metadata, timeoutMs: 30_000 },
    );
  const storedAt = new Date(Date.now() - 3_600_000);
  const contents = [{ cid: 'cid_1', sizeBytes: 2 ** 30 }];
  await send({ type: 'StoreContent', data: { tenantId, contents, at: storedAt } });
  const used = () => findStorageUsage(database(), tenantId);
  const paid = await eventually(used, row => row !== null && row.chargedAtto > 0n);
  expect(paid).toMatchObject({ contents: 1, bytes: 2n ** 30n, dueAtto: 0n });
  const releasedAt = new Date();
  await send({ type: 'ReleaseContent', data: { tenantId, cid: 'cid_1', at: releasedAt } });
  const last = await eventually(used, row => row !== null && row.unmeteredSince === null);
  expect(last!.contents).toBe(0);

  const charges = (await new EventStore(ground.bus).load({ type: 'billing.account', id: tenantId })).flatMap(
    ({ event }) => (event.type === 'StorageCharged' ? [(event as StorageChargedEvent).data] : []),
  );
  const [first] = charges;
  expect(first!.from).toEqual(storedAt);
  charges.slice(1).forEach(({ from }, index) => expect(from).toEqual(charges[index]!.through));
  // Each period is rounded by itself, down when it is metered and up when it is charged.
  const keptMs = BigInt(releasedAt.getTime() - storedAt.getTime());
  const all = await eventually(used, row => row!.chargedAtto >= keptMs);
  expect(all!.chargedAtto - keptMs <= BigInt(charges.length)).toBe(true);
  const earned = await earningsOfOperator(database(), keeper);
  expect(earned).toBeGreaterThan((keptMs * 97n) / 100n);
  expect(await ledgerSum(database())).toBe(0n);
}, 60_000);
