import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import { draftIdOf, invoiceIdOf } from '@astro/messages/invoice-month';
import { openDatabase, openReader } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import type { EntityManager, EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import { invoicingHistory } from '../billing-history.fixture.js';
import { InvalidCursor } from '../page.js';
import { registryHistory } from '../registry-history.fixture.js';
import { Node, nodes } from '../registry/nodes.js';
import { earningsHistory } from '../settlement-history.fixture.js';
import { Earning, earnings, moneyOf, OperatorMoney } from './earnings.js';
import { pageOfEarnings, type EarningDimension } from './earnings-by.js';
import {
  findInvoice,
  findInvoicedMonth,
  Invoice,
  InvoicedMonth,
  invoices,
  monthsToInvoice,
  pageOfInvoices,
} from './invoices.js';

let dir: string;
let server: PostgresServer;
let registry: MikroORM;
let billing: MikroORM;
let reader: MikroORM;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-billing-read-models-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const owners = ['registry', 'billing'].map(schema => ({ role: schema, password: schema, schema }));
  const role = { role: 'reader', password: 'reader' };
  await provision(server.adminUrl, { database: 'spec', owners, reader: role });
  registry = await open('registry', [Node]);
  billing = await open('billing', [Earning, OperatorMoney, Invoice, InvoicedMonth]);
  reader = await openReader({ url: urlAs('reader'), entities: [Earning, Node] });
  await build(registry, nodes, registryHistory);
  await build(billing, earnings, earningsHistory);
  await build(billing, invoices, invoicingHistory);
});

afterAll(async () => {
  for (const orm of [registry, billing, reader]) await orm?.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const open = (schema: string, entities: readonly EntitySchema[]) =>
  openDatabase({ url: urlAs(schema), schema, entities });

function urlAs(role: string): string {
  const url = new URL(server.adminUrl);
  [url.username, url.password, url.pathname] = [role, role, '/spec'];
  return url.href;
}

/** The events one by one, at every third position from 10 on, in the seventeenth minute of 1970. */
async function build(
  orm: MikroORM,
  projection: Projection<Message, EntityManager>,
  history: readonly Message[],
): Promise<void> {
  const recorded = history.map((event, index) => ({
    ...{ id: `event_${index}`, aggregate: { type: 'spec.any', id: 'any' } as const, event },
    ...{ position: 10 + index * 3, recordedAt: new Date(1_000_000 + index * 1_000) },
    metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
  }));
  await new ProjectionRunner(orm, projection).apply(recorded);
}

test('a tenant sees what is on record of its months, the newest first, and nobody else does', async () => {
  const em = billing.em.fork();
  const first = await pageOfInvoices(em, 'tenant_1', { limit: 1 });
  const invoiceId = invoiceIdOf('tenant_1', '1970-01');
  const summed = { charges: 2, totalAtto: 2000n, feeAtto: 50n, root: 'ab'.repeat(32) };
  const parts = { storageAtto: 500n, burnedAtto: 10n, validatorsAtto: 20n };
  expect(first.items).toMatchObject([{ invoiceId, number: 'N', status: 'issued', ...summed, ...parts }]);
  const rest = await pageOfInvoices(em, 'tenant_1', { limit: 1, cursor: first.nextCursor });
  expect(rest.items).toMatchObject([
    { invoiceId: draftIdOf('tenant_1', '1970-01', 1), number: 'N-D1', status: 'draft', storageAtto: null },
  ]);
  expect(rest.nextCursor).toBeUndefined();
  expect((await pageOfInvoices(em, 'tenant_2', { limit: 5 })).items).toEqual([]);
  expect(await findInvoice(em, 'tenant_2', invoiceId)).toBeNull();
});

test('a month is to be invoiced once it is over, or asked for, as long as something was charged in it', async () => {
  const em = billing.em.fork();
  expect(await findInvoicedMonth(em, 'tenant_1', '1970-01')).toMatchObject({
    ...{ status: 'issued', charges: 2, chargedAtto: 2000n, firstPosition: 19, isDraftRequested: false },
  });
  expect(await findInvoicedMonth(em, 'tenant_1', '1970-02')).toBeUndefined();
  expect(await monthsToInvoice(em, '1970-03', { limit: 9, chargesMax: 9 })).toEqual([]);
  const others = ['a', 'b', 'c', 'd'].map((tenantId, index) => ({
    ...{ id: `${tenantId} 1970-01`, tenantId, month: '1970-01', status: 'open' as const, charges: 1 },
    ...{ chargedAtto: 1n, firstPosition: 1, draft: 1, isDraftRequested: index === 3, position: 1 },
  }));
  await em.insertMany(InvoicedMonth, others);
  const dueBefore = async (month: string, after?: InvoicedMonth) =>
    (await monthsToInvoice(em, month, { limit: 2, after, chargesMax: 1 })).map(({ tenantId }) => tenantId);
  expect(await dueBefore('1970-01')).toEqual(['d']);
  expect(await dueBefore('1970-02')).toEqual(['a', 'b']);
  const [, last] = await monthsToInvoice(em, '1970-02', { limit: 2, chargesMax: 1 });
  expect(await dueBefore('1970-02', last)).toEqual(['c', 'd']);
  expect(await monthsToInvoice(em, '1970-02', { limit: 9, chargesMax: 0 })).toEqual([]);
});

describe('what an operator earned', () => {
  const days = { from: '1970-01-01', to: '1970-01-31' };
  const page = (groupBy: readonly EarningDimension[], query: object = {}) =>
    pageOfEarnings(reader.em.fork(), { operatorId: 'operator_1', ...days, groupBy, limit: 9, ...query });

  test('is told by day, node and device, and sums to what was credited to its account', async () => {
    const whole = { charges: 6, workMs: 6000, grossAtto: 3000n, feeAtto: 75n, netAtto: 2925n };
    expect((await page([])).items).toEqual([{ key: {}, ...whole }]);
    expect((await page(['day'])).items).toEqual([{ key: { day: '1970-01-01' }, ...whole }]);
    const ofNode = { charges: 2, workMs: 3000, grossAtto: 1000n };
    const byNode = [
      // Which of its nodes is not told by the first one: the fee is borne in proportion.
      { key: { node: '' }, charges: 2, workMs: 0, grossAtto: 1000n, feeAtto: 25n, netAtto: 975n },
      { key: { node: 'node_1' }, ...ofNode, feeAtto: 0n, netAtto: 1000n },
      { key: { node: 'node_2' }, ...ofNode, feeAtto: 50n, netAtto: 950n },
    ];
    expect((await page(['node'])).items).toEqual(byNode);
    expect((await page(['device', 'day'])).items).toMatchObject([
      { key: { device: '', day: '1970-01-01' }, netAtto: 975n },
      { key: { device: 'gpu m', day: '1970-01-01' }, charges: 4, netAtto: 1950n },
    ]);
    const em = billing.em.fork();
    const rows = await em.find(Earning, { operatorId: 'operator_1' });
    expect(rows.reduce((sum, { netAtto }) => sum + netAtto, 0n)).toBe(
      (await moneyOf(em, 'operator_1')).earnedAtto,
    );
  });

  test('comes in pages, of the days that are asked for, and is nobody else’s', async () => {
    const first = await page(['node', 'day'], { limit: 2 });
    expect(first.items.map(({ key }) => key.node)).toEqual(['', 'node_1']);
    const rest = await page(['node', 'day'], { limit: 2, cursor: first.nextCursor });
    expect(rest.items.map(({ key }) => key.node)).toEqual(['node_2']);
    expect(rest.nextCursor).toBeUndefined();
    for (const query of [{ operatorId: 'operator_2' }, { to: '1969-12-31' }, { from: '1970-01-02' }])
      for (const groupBy of [[], ['day']] as const) expect((await page(groupBy, query)).items).toEqual([]);
    await expect(page(['day'], { cursor: first.nextCursor })).rejects.toBeInstanceOf(InvalidCursor);
  });

  test('is pending, on its way, claimable or claimed, and what batches round away is told', async () => {
    const em = billing.em.fork();
    const money = await moneyOf(em, 'operator_1');
    expect(money).toMatchObject({
      ...{ earnedAtto: 2925n, pendingAtto: 975n, settlingAtto: 0n, claimableAtto: 48n, claimedAtto: 1900n },
      roundedAtto: -2n,
    });
    const { pendingAtto, settlingAtto, claimableAtto, claimedAtto } = money;
    expect(pendingAtto + settlingAtto + claimableAtto + claimedAtto).toBe(
      money.earnedAtto + money.roundedAtto,
    );
    expect(await moneyOf(em, 'operator_2')).toMatchObject({ earnedAtto: 0n, claimedAtto: 0n });
  });
});
