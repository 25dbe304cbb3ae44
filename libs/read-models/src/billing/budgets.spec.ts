import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { budgetsHistory } from '../budgets-history.fixture.js';
import { InvalidCursor } from '../page.js';
import { Alert, alerts, BalanceAlert, balanceAlertOf, pageOfAlerts } from './alerts.js';
import { Budget, budgets, budgetsOf, findBudget, spentAt } from './budgets.js';

let dir: string;
let server: PostgresServer;
let orm: MikroORM;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-budgets-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const owners = [{ role: 'billing', password: 'billing', schema: 'billing' }];
  await provision(server.adminUrl, { database: 'spec', owners, reader: { role: 'r', password: 'r' } });
  const url = new URL(server.adminUrl);
  [url.username, url.password, url.pathname] = ['billing', 'billing', '/spec'];
  orm = await openDatabase({ url: url.href, schema: 'billing', entities: [Budget, Alert, BalanceAlert] });
  const recorded = budgetsHistory.map((event, index) => ({
    id: `event_${index}`,
    aggregate: { type: 'billing.account', id: event.data.tenantId } as const,
    event,
    position: 10 + index,
    recordedAt: new Date(index),
    metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
  }));
  for (const projection of [budgets, alerts]) await new ProjectionRunner(orm, projection).apply(recorded);
}, 60_000);

afterAll(async () => {
  await orm.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('a budget is its tenant’s alone, and is gone once it is removed', async () => {
  const em = orm.em.fork();
  expect((await budgetsOf(em, 'tenant_1')).map(({ budgetId }) => budgetId)).toEqual(['all', 'digits']);
  expect(await findBudget(em, 'tenant_1', 'digits')).toMatchObject({
    project: 'digits',
    thresholds: [50, 100],
    spentAtto: 500n,
    committedAtto: 500n,
  });
  expect(await findBudget(em, 'tenant_2', 'digits')).toMatchObject({ project: null, spentAtto: 0n });
  expect(await findBudget(em, 'tenant_1', 'gone')).toBeNull();
  expect(await findBudget(em, 'tenant_2', 'all')).toBeNull();
});

test('what was spent in a period that is over is not spent in the next', async () => {
  const ofMonth = (await findBudget(orm.em.fork(), 'tenant_1', 'digits'))!;
  expect(spentAt(ofMonth, new Date('2026-11-30T23:59:59.999Z'))).toBe(500n);
  expect(spentAt(ofMonth, new Date('2026-12-01T00:00:00Z'))).toBe(0n);
  const forEver = (await findBudget(orm.em.fork(), 'tenant_1', 'all'))!;
  expect(spentAt(forEver, new Date('2036-01-01T00:00:00Z'))).toBe(507n);
});

test('alerts come newest first, a page at a time, each tenant’s alone', async () => {
  const em = orm.em.fork();
  const first = await pageOfAlerts(em, 'tenant_1', { limit: 2 });
  expect(first.items).toMatchObject([
    { kind: 'balance_low', spendableAtto: 6n, amountAtto: 7n, budgetId: null },
    { kind: 'budget_committed', threshold: 100, budgetId: 'digits', spentAtto: 500n, period: 'month' },
  ]);
  const rest = await pageOfAlerts(em, 'tenant_1', { limit: 2, cursor: first.nextCursor });
  expect(rest.items).toMatchObject([{ kind: 'budget_charged', threshold: 50 }]);
  expect(rest.nextCursor).toBeUndefined();
  expect((await pageOfAlerts(em, 'tenant_2', { limit: 2 })).items).toEqual([]);
  for (const cursor of ['', 'nonsense', Buffer.from('["x"]').toString('base64url')])
    await expect(pageOfAlerts(em, 'tenant_1', { limit: 1, cursor })).rejects.toBeInstanceOf(InvalidCursor);
});

test('below what amount a tenant is told of its balance is known until it does not want to be', async () => {
  expect(await balanceAlertOf(orm.em.fork(), 'tenant_1')).toBe(7n);
  expect(await balanceAlertOf(orm.em.fork(), 'tenant_2')).toBeUndefined();
  expect(await balanceAlertOf(orm.em.fork(), 'nobody')).toBeUndefined();
});
