import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import type { EntityManager, EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import { Alert, alerts, BalanceAlert } from './billing/alerts.js';
import { Budget, budgets } from './billing/budgets.js';
import { budgetsHistory } from './budgets-history.fixture.js';
import {
  Balance,
  balanceOfTenant,
  balances,
  earningsOfOperator,
  accountsOfTenant,
} from './billing/balances.js';
import { changeOf } from '@astro/messages/ledger-accounts';
import { CustodyEntry, custody, custodyTotals, differing } from './billing/custody.js';
import { Earning, earnings, OperatorMoney } from './billing/earnings.js';
import { Invoice, InvoicedMonth, invoices } from './billing/invoices.js';
import { LedgerEntry, balancesAt, entriesOf, entriesOfJob, ledger, ledgerSum } from './billing/ledger.js';
import { Spending, spending, spentWithin } from './billing/spending.js';
import { StorageUsage, findStorageUsage, storageUsage, tenantsToMeter } from './billing/storage.js';
import { JobUsage, findUsage, pageOfUsage, usage } from './billing/usage.js';
import { Batch, findPayout, pageOfPayouts, Payout, payouts, payoutsOf } from './billing/payouts.js';
import { InvalidCursor } from './page.js';
import { Affiliation, affiliations, affiliationsOf } from './registry/affiliations.js';
import { ApiKey, apiKeys, findApiKeyByHash } from './registry/api-keys.js';
import { Node, findNode, findNodeByKey, nodes, pageOfNodes } from './registry/nodes.js';
import { Operator, findOperator, operators } from './registry/operators.js';
import { Tenant, findTenant, tenants } from './registry/tenants.js';
import { Wallet, wallets, walletOf } from './registry/wallets.js';
import { Booking, bookings, findBooking, pageOfBookings } from './scheduling/bookings.js';
import { Job, findJob, jobs, pageOfJobs } from './scheduling/jobs.js';
import { Lease, leases, leasesOf, runningPriceOf } from './scheduling/leases.js';
import { Task, tasks, tasksOf } from './scheduling/tasks.js';
import { Accusation, accusations } from './verification/accusations.js';
import { Audit, audits, auditsOf, openAudits } from './verification/audits.js';
import { ValidatorNode, validatorNodes } from './verification/validator-nodes.js';
import { ValidatorRecord, validatorRecords } from './verification/validator-records.js';
import { Verdict, findVerdict, verdicts, verdictsOf } from './verification/verdicts.js';
import { auditHistory, validatorHistory } from './audit-history.fixture.js';
import { custodyHistory, depositReference, refundReference } from './custody-history.fixture.js';
import { billingHistory, credit, invoicingHistory } from './billing-history.fixture.js';
import { bookingHistory } from './booking-history.fixture.js';
import { attestation, figureChange, offer, registryHistory } from './registry-history.fixture.js';
import { accusationHistory, schedulingHistory, verificationHistory } from './scheduling-history.fixture.js';
import { storageHistory } from './storage-history.fixture.js';
import { earningsHistory, settlementHistory } from './settlement-history.fixture.js';

const record = (event: Message, index: number): Recorded => ({
  id: `event_${index}`,
  aggregate: { type: 'spec.any', id: 'any' },
  event,
  // Positions of one projection have gaps, because other aggregates write to the same stream.
  position: 10 + index * 3,
  recordedAt: new Date(1_000_000 + index * 1_000),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
});

type ReadModel = {
  readonly projection: Projection<Message, EntityManager>;
  readonly entity: EntitySchema;
  readonly history: readonly Message[];
};
const readModels: readonly ReadModel[] = [
  { projection: tenants, entity: Tenant, history: registryHistory },
  { projection: operators, entity: Operator, history: registryHistory },
  { projection: affiliations, entity: Affiliation, history: registryHistory },
  { projection: apiKeys, entity: ApiKey, history: registryHistory },
  { projection: wallets, entity: Wallet, history: registryHistory },
  { projection: nodes, entity: Node, history: registryHistory },
  { projection: jobs, entity: Job, history: schedulingHistory },
  { projection: tasks, entity: Task, history: schedulingHistory },
  { projection: leases, entity: Lease, history: schedulingHistory },
  { projection: bookings, entity: Booking, history: bookingHistory },
  { projection: balances, entity: Balance, history: billingHistory },
  { projection: ledger, entity: LedgerEntry, history: billingHistory },
  { projection: usage, entity: JobUsage, history: billingHistory },
  { projection: spending, entity: Spending, history: billingHistory },
  { projection: custody, entity: CustodyEntry, history: custodyHistory },
  { projection: budgets, entity: Budget, history: budgetsHistory },
  { projection: alerts, entity: Alert, history: budgetsHistory },
  { projection: alerts, entity: BalanceAlert, history: budgetsHistory },
  { projection: storageUsage, entity: StorageUsage, history: storageHistory },
  { projection: earnings, entity: Earning, history: earningsHistory },
  { projection: earnings, entity: OperatorMoney, history: earningsHistory },
  { projection: invoices, entity: InvoicedMonth, history: invoicingHistory },
  { projection: invoices, entity: Invoice, history: invoicingHistory },
  { projection: payouts, entity: Payout, history: settlementHistory },
  { projection: payouts, entity: Batch, history: settlementHistory },
  { projection: verdicts, entity: Verdict, history: verificationHistory },
  { projection: accusations, entity: Accusation, history: accusationHistory },
  { projection: audits, entity: Audit, history: auditHistory },
  { projection: validatorNodes, entity: ValidatorNode, history: validatorHistory },
  { projection: validatorRecords, entity: ValidatorRecord, history: auditHistory },
];

let dir: string;
let server: PostgresServer;
const databases = new Map<string, MikroORM>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-read-models-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const schemas = [...new Set(readModels.map(({ entity }) => entity.meta.schema!))];
  const owners = schemas.map(schema => ({ role: schema, password: schema, schema }));
  await provision(server.adminUrl, {
    database: 'spec',
    owners,
    reader: { role: 'reader', password: 'reader' },
  });
  for (const schema of schemas) {
    const url = new URL(server.adminUrl);
    [url.username, url.password, url.pathname] = [schema, schema, '/spec'];
    const entities = readModels.map(({ entity }) => entity).filter(({ meta }) => meta.schema === schema);
    databases.set(schema, await openDatabase({ url: url.href, schema, entities }));
  }
});

afterAll(async () => {
  for (const orm of databases.values()) await orm.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ormOf = ({ entity }: ReadModel) => databases.get(entity.meta.schema!)!;
const nameOf = ({ entity }: ReadModel) => `"${entity.meta.schema}"."${entity.meta.tableName}"`;
const rowsOf = (model: ReadModel) =>
  ormOf(model)
    .em.fork()
    .execute<unknown[]>(`select * from ${nameOf(model)} as t order by t::text`);

async function forget(model: ReadModel): Promise<void> {
  await ormOf(model)
    .em.fork()
    .execute(`truncate ${nameOf(model)}, "${model.entity.meta.schema}"."checkpoints"`);
}

async function build(model: ReadModel, batchSize: number): Promise<void> {
  const runner = new ProjectionRunner(ormOf(model), model.projection);
  const recorded = model.history.map(record);
  while (recorded.length > 0) await runner.apply(recorded.splice(0, batchSize));
}

describe.each(readModels.map(model => ({ name: model.projection.name, model })))('$name', ({ model }) => {
  beforeEach(() => forget(model));

  test('is the same whether built at once or event by event', async () => {
    await build(model, 1_000);
    const atOnce = await rowsOf(model);
    expect(atOnce.length).toBeGreaterThan(0);
    await forget(model);
    await build(model, 1);
    expect(await rowsOf(model)).toEqual(atOnce);
  });

  test('does not change when each event is applied again, even past the checkpoint', async () => {
    await build(model, 1_000);
    const before = await rowsOf(model);
    for (const recorded of model.history.map(record)) {
      await model.projection.apply(ormOf(model).em.fork(), recorded);
    }
    expect(await rowsOf(model)).toEqual(before);
  });
});

/** Every read model of one schema, built. */
async function built(schema: string): Promise<EntityManager> {
  for (const model of readModels.filter(({ entity }) => entity.meta.schema === schema)) {
    await forget(model);
    await build(model, 1_000);
  }
  return databases.get(schema)!.em.fork();
}

test('a key is found by its hash until it is revoked', async () => {
  const em = await built('registry');
  expect(await findApiKeyByHash(em, 'aa')).toBeNull();
  expect(await findApiKeyByHash(em, 'bb')).toMatchObject({ owner: 'operator', ownerId: 'operator_1' });
  expect(await findTenant(em, 'tenant_1')).toMatchObject({ name: 'Ada' });
  expect(await findOperator(em, 'operator_1')).toMatchObject({ name: 'Charles' });
  expect(await walletOf(em, 1, 'operator_1')).toMatchObject({ address: '0xbb', nonce: 1 });
  expect(await walletOf(em, 2, 'operator_1')).toBeNull();
});

test('an operator learns what it has in common with how many others, and not by which key', async () => {
  const em = await built('registry');
  const seenAt = new Date(Date.UTC(2026, 1, 2));
  expect(await affiliationsOf(em, 'operator_1')).toEqual([
    { kind: 'funding', seenAt, others: 0 },
    { kind: 'network', seenAt, others: 1 },
  ]);
  expect(await affiliationsOf(em, 'operator_3')).toEqual([]);
});

test('a node has its latest offer and status, and nodes come in pages', async () => {
  const em = await built('registry');
  expect(await findNode(em, 'node_1')).toMatchObject({
    status: 'offline',
    pricePerSecondAtto: 6n,
    interruptiblePricePerSecondAtto: 3n,
    publicKey: 'U4',
  });
  expect(await findNodeByKey(em, 'operator_1', 'U4')).toMatchObject({ nodeId: 'node_1' });
  expect(await findNodeByKey(em, 'operator_1', 'U1')).toBeNull();
  expect((await findNode(em, 'node_1'))?.revokedAt).toBeInstanceOf(Date);
  expect((await findNode(em, 'node_3'))?.revokedAt).toBeNull();
  expect((await findNode(em, 'node_1'))?.inventory).toEqual(offer('node_1').inventory);
  expect((await findNode(em, 'node_1'))?.attestation).toEqual({
    ...attestation,
    acceptedAt: '1970-01-01T00:00:00.000Z',
    expiresAt: '1970-01-01T00:00:00.001Z',
  });
  expect(await findNode(em, 'node_1')).toMatchObject({
    drain: { from: '1970-01-01T00:00:00.000Z', noticeUntil: '1970-01-01T00:00:00.001Z' },
    milliUnits: 1_500,
    measurement: { matrixMflops: 2_000, cores: 4 },
    performanceChanges: [figureChange],
  });
  expect(await findNode(em, 'node_2')).toMatchObject({ drain: null, milliUnits: null });
  expect(await findNode(em, 'node_2')).toMatchObject({ attestation: null, attestationClaimed: null });
  const first = await pageOfNodes(em, { limit: 2 });
  expect(first.items.map(({ nodeId }) => nodeId)).toEqual(['node_1', 'node_2']);
  const rest = await pageOfNodes(em, { limit: 2, cursor: first.nextCursor });
  expect(rest.items.map(({ nodeId }) => nodeId)).toEqual(['node_3']);
  expect(rest.nextCursor).toBeUndefined();
  const online = await pageOfNodes(em, { limit: 2, status: 'online' });
  expect(online.items).toMatchObject([{ nodeId: 'node_2', pricePerSecondAtto: 10n ** 25n }]);
});

test('a job is its tenant’s alone, and says how far it is', async () => {
  const em = await built('scheduling');
  const job = await findJob(em, 'tenant_1', 'job_1');
  expect(job).toMatchObject({ status: 'running', taskCount: 2, tasksSucceeded: 1, maxCostAtto: 10n ** 24n });
  expect(job?.spec.requirements.maxPricePerSecondAtto).toBe((10n ** 20n).toString());
  expect(await findJob(em, 'tenant_2', 'job_1')).toBeNull();
  expect(await findJob(em, 'tenant_1', 'job_2')).toMatchObject({
    status: 'failed',
    reason: 'insufficient_funds',
    endedAt: record(schedulingHistory.at(-1)!, schedulingHistory.length - 1).recordedAt,
  });
});

test('a job says what it lacks and when it stops, until there is money again or it has ended', async () => {
  const em = await built('scheduling');
  const enough = { missingAtto: null, shortSince: null, stopsAt: null };
  expect(await findJob(em, 'tenant_1', 'job_1')).toMatchObject({
    missingAtto: 7n,
    shortSince: expect.any(Date),
    stopsAt: new Date(70_000),
  });
  expect(await findJob(em, 'tenant_1', 'job_2')).toMatchObject(enough);
  expect(await findJob(em, 'tenant_2', 'job_3')).toMatchObject(enough);
});

test('jobs come newest first, a page at a time, of one status or project if wished', async () => {
  const em = await built('scheduling');
  const first = await pageOfJobs(em, 'tenant_1', { limit: 1 });
  expect(first.items.map(({ jobId }) => jobId)).toEqual(['job_2']);
  const rest = await pageOfJobs(em, 'tenant_1', { limit: 1, cursor: first.nextCursor });
  expect(rest.items.map(({ jobId }) => jobId)).toEqual(['job_1']);
  expect(rest.nextCursor).toBeUndefined();
  expect((await pageOfJobs(em, 'tenant_1', { limit: 9, status: 'running' })).items).toHaveLength(1);
  const ofProject = await pageOfJobs(em, 'tenant_1', { limit: 9, project: 'digits' });
  expect(ofProject.items).toMatchObject([{ jobId: 'job_2', project: 'digits' }]);
  for (const cursor of ['', 'nonsense', Buffer.from('["x","job_1"]').toString('base64url')]) {
    await expect(pageOfJobs(em, 'tenant_1', { limit: 1, cursor })).rejects.toBeInstanceOf(InvalidCursor);
  }
});

test('the tasks of a job that ended without them say so', async () => {
  const em = await built('scheduling');
  expect(await tasksOf(em, 'job_2')).toMatchObject([{ taskId: 'task_3', status: 'failed' }]);
});

test('tasks and leases say what became of them', async () => {
  const em = await built('scheduling');
  expect(await tasksOf(em, 'job_1')).toMatchObject([
    { taskId: 'task_1', index: 0, status: 'succeeded', digest: 'right', outputs: [{ cid: 'cid-out' }] },
    { taskId: 'task_2', index: 1, status: 'waiting', digest: null, outputs: [] },
  ]);
  expect(await leasesOf(em, 'job_1')).toMatchObject([
    { leaseId: 'lease_1', status: 'completed', meteredMs: 1500, startedAt: new Date(50_000) },
    { leaseId: 'lease_2', status: 'revoked', reason: 'node_withdrawn' },
    { leaseId: 'lease_3', status: 'granted', reason: null, endedAt: null, fencingToken: 7 },
    { leaseId: 'lease_4', status: 'failed', reason: 'no disk', isHealthy: null, isUnderNotice: false },
    {
      leaseId: 'lease_5',
      status: 'revoked',
      reason: 'preempted',
      isUnderNotice: true,
      deadline: new Date(90_000),
    },
  ]);
});

test('a server’s job says how its replicas are, and what requests were counted', async () => {
  const em = await built('scheduling');
  expect((await leasesOf(em, 'job_1'))[2]).toMatchObject({
    isHealthy: false,
    unhealthyBecause: 'status 500',
  });
  expect(await findJob(em, 'tenant_1', 'job_1')).toMatchObject({
    requests: 5,
    requestsUnanswered: 1,
    requestBytes: 70,
    answerBytes: 900,
  });
});

test('balances are the sums of the postings, and the ledger sums to zero', async () => {
  const em = await built('billing');
  const parts = { availableAtto: 0n, reservedAtto: 0n, incomingAtto: 0n, withdrawingAtto: 0n };
  const nothing = { ...parts, owedAtto: 0n };
  const held = { ...nothing, availableAtto: credit - 2000n };
  expect(await balanceOfTenant(em, 'tenant_1')).toEqual(held);
  expect(await balanceOfTenant(em, 'nobody')).toEqual(nothing);
  expect(await balanceOfTenant(em, 'tenant_2')).toEqual({ ...nothing, owedAtto: 5n });
  expect(await earningsOfOperator(em, 'operator_1')).toBe(1950n);
  expect(await ledgerSum(em)).toBe(0n);
  expect(await entriesOfJob(em, 'job_1')).toHaveLength(14);
  const first = await entriesOf(em, 'operator:operator_1:earned', { limit: 3 });
  expect(first.items.map(({ amountAtto, balanceAtto }) => [amountAtto, balanceAtto])).toEqual([
    [475n, 1950n],
    [500n, 1475n],
    [475n, 975n],
  ]);
  expect(first.items.map(({ amountAtto }) => amountAtto)).toEqual([475n, 500n, 475n]);
  const rest = await entriesOf(em, 'operator:operator_1:earned', { limit: 3, cursor: first.nextCursor });
  expect(rest.items).toMatchObject([{ amountAtto: 500n, taskId: 'task_1', kind: 'TaskCharged' }]);
});

test('every position has its balances: the sums of the postings up to it', async () => {
  const em = await built('billing');
  const accounts = { ...accountsOfTenant('tenant_1'), earned: 'operator:operator_1:earned' };
  const entries = await em.find(LedgerEntry, {});
  const positions = entries.map(({ position }) => position);
  for (const asOf of [0, ...positions, Math.max(...positions) + 9]) {
    const until = entries.filter(({ position }) => position <= asOf);
    const balances = await balancesAt(em, accounts, asOf);
    for (const [name, account] of Object.entries(accounts))
      expect([asOf, name, balances[name as keyof typeof accounts]]).toEqual([
        asOf,
        name,
        changeOf(account, until),
      ]);
  }
});

test('usage says what a job cost and where it went', async () => {
  const em = await built('billing');
  const cost = {
    ...{ chargedAtto: 2000n, feeAtto: 50n, burnedAtto: 10n, meteredMs: 6000, tasksCharged: 2 },
    // One of the charges has no transfer.
    ...{ transferredBytes: 2n ** 31n, transferAtto: 400n },
  };
  expect(await findUsage(em, 'tenant_1', 'job_1')).toMatchObject(cost);
  expect(await findUsage(em, 'tenant_2', 'job_1')).toBeNull();
  expect((await pageOfUsage(em, 'tenant_1', { limit: 5 })).items).toMatchObject([
    { jobId: 'job_1', ...cost },
  ]);
});

test('what is kept for a tenant, what that has cost, and who is to be metered', async () => {
  const em = await built('billing');
  expect(await findStorageUsage(em, 'tenant_1')).toMatchObject({
    ...{ contents: 1, bytes: 2n ** 30n, gibHoursAtto: 2n * 10n ** 18n },
    ...{ chargedAtto: 2n * 10n ** 20n, dueAtto: 0n, meteredThrough: new Date(3 * 3_600_000) },
  });
  expect(await findStorageUsage(em, 'tenant_2')).toMatchObject({ gibHoursAtto: 0n, meteredThrough: null });
  const dueAt = (hours: number, afterTenantId = '', limit = 9) =>
    tenantsToMeter(em, new Date(hours * 3_600_000), { afterTenantId, limit });
  expect(await dueAt(3)).toEqual([]);
  expect(await dueAt(4)).toEqual(['tenant_1', 'tenant_2']);
  expect(await dueAt(4, '', 1)).toEqual(['tenant_1']);
  expect(await dueAt(4, 'tenant_1')).toEqual(['tenant_2']);
});

test('what was charged lately is told from whole ten minutes on, each tenant’s alone', async () => {
  const em = await built('billing');
  // The two charges are recorded in the seventeenth minute after the epoch.
  const spentAt = (minutes: number, forMinutes: number, tenantId = 'tenant_1') =>
    spentWithin(em, tenantId, forMinutes * 60_000, new Date(minutes * 60_000));
  expect(await spentAt(17, 5)).toEqual({ from: new Date(600_000), chargedAtto: 2000n });
  expect(await spentAt(79, 60)).toEqual({ from: new Date(600_000), chargedAtto: 2000n });
  expect(await spentAt(80, 60)).toEqual({ from: new Date(1_200_000), chargedAtto: 0n });
  expect(await spentAt(17, 5, 'tenant_2')).toMatchObject({ chargedAtto: 0n });
});

test('what runs costs what its started leases do, together', async () => {
  const em = await built('scheduling');
  await em.execute(
    `update scheduling.leases set "status" = 'started' where "lease_id" in ('lease_3', 'lease_4')`,
  );
  expect(await runningPriceOf(em, 'tenant_1')).toBe(10n);
  expect(await runningPriceOf(em, 'tenant_2')).toBe(0n);
});

test('a tenant sees its bookings, newest first, and which nodes hold their units', async () => {
  const em = await built('scheduling');
  expect(await findBooking(em, 'tenant_1', 'booking_1')).toMatchObject({
    status: 'active',
    amountAtto: 98_000n,
    units: [
      { number: 1, nodeId: '', operatorId: '', pricePerSecondAtto: '7' },
      { number: 2, nodeId: 'node_3', operatorId: 'operator_of_node_3' },
    ],
  });
  expect(await findBooking(em, 'tenant_2', 'booking_1')).toBeNull();
  const page = await pageOfBookings(em, 'tenant_1', { limit: 1 });
  expect(page.items).toMatchObject([{ bookingId: 'booking_2', status: 'ended', reason: 'cancelled' }]);
  const rest = await pageOfBookings(em, 'tenant_1', { limit: 5, cursor: page.nextCursor });
  expect(rest.items.map(({ bookingId }) => bookingId)).toEqual(['booking_1']);
  const ended = await pageOfBookings(em, 'tenant_2', { limit: 5, status: 'ended' });
  expect(ended.items).toEqual([]);
});

test('a verdict names who agreed and who was refuted', async () => {
  const em = await built('verification');
  const agreed = { outcome: 'agreed', agreed: ['node_1', 'node_3'], refuted: ['node_2'] };
  expect(await findVerdict(em, 'task_1')).toMatchObject(agreed);
  expect(await verdictsOf(em, 'job_1')).toMatchObject([
    agreed,
    { outcome: 'undecided', agreed: [], digest: null },
  ]);
});

test('custody says what Escrow holds by both sides, and which changes differ', async () => {
  const em = await built('billing');
  expect(await custodyTotals(em)).toMatchObject({ chainAtto: 65n, ledgerAtto: 111n, blockNumber: 8 });
  const differences = await differing(em, 5);
  expect(
    differences.map(({ reference, chainAtto, ledgerAtto }) => [reference, chainAtto, ledgerAtto]),
  ).toEqual([
    ['tenant_1/credit_1', 0n, 50n],
    [refundReference, -4n, 0n],
    ['TaskCharged', 0n, -1n],
  ]);
  expect(await em.findOne(CustodyEntry, { reference: depositReference })).toMatchObject({
    ...{ chainAtto: 100n, ledgerAtto: 100n, differs: false },
  });
  expect(await differing(em, 1)).toMatchObject([{ reference: 'tenant_1/credit_1' }]);
});

test('an operator sees its payouts, newest first, and how far each is', async () => {
  const em = await built('billing');
  const first = await pageOfPayouts(em, 'operator_1', { limit: 1 });
  expect(first.items).toMatchObject([{ payoutId: 'batch_2-0', status: 'settling' }]);
  const rest = await pageOfPayouts(em, 'operator_1', { limit: 1, cursor: first.nextCursor });
  expect(rest.items).toMatchObject([{ payoutId: 'batch_1-0', status: 'claimed', transactionHash: '0xt2' }]);
  expect(await payoutsOf(em, 'batch_1')).toMatchObject([{ status: 'claimed' }, { status: 'claimable' }]);
  expect(await findPayout(em, 'operator_2', 'batch_1-0')).toBeNull();
});

test('audits are worked on until they are closed, each by those who were drawn for it', async () => {
  const em = await built('verification');
  const open = await openAudits(em, 10);
  expect(open.map(({ taskId, round, status }) => [taskId, round, status])).toEqual([
    ['task_3', 2, 'requested'],
    ['task_4', 1, 'drawn'],
  ]);
  const [own] = await auditsOf(em, 'node_9', 10);
  expect(own).toMatchObject({ taskId: 'task_4', committed: ['node_8'], revealed: ['node_8'] });
  expect(await auditsOf(em, 'node_1', 10)).toEqual([]);
});

test('a validator has a record of what it found, and of whether it was awake', async () => {
  const em = await built('verification');
  const recordOf = (validatorId: string) => em.findOneOrFail(ValidatorRecord, { validatorId });
  const none = { correct: 0, wrong: 0, missed: 0, plantedAwake: 0, plantedAsleep: 0 };
  expect(await recordOf('node_7')).toMatchObject({ ...none, correct: 2, plantedAwake: 1 });
  expect(await recordOf('node_9')).toMatchObject({ ...none, wrong: 1, missed: 2, plantedAsleep: 1 });
  const nodes = await em.find(ValidatorNode, {}, { orderBy: { nodeId: 'asc' } });
  expect(
    nodes.map(({ nodeId, validates, isOnline, isRevoked }) => [nodeId, validates, isOnline, isRevoked]),
  ).toEqual([
    ['node_7', true, true, false],
    ['node_8', true, false, true],
    ['node_9', false, true, false],
  ]);
});
