import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { catalogue } from '@astro/messages/catalogue';
import { payloadOf } from '../../messages/src/payloads.fixture.js';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import { inTransaction } from '@astro/postgres/transaction';
import type { EntityManager, EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { Alert, alerts, BalanceAlert } from './billing/alerts.js';
import { Balance, balances } from './billing/balances.js';
import { CustodyEntry, custody } from './billing/custody.js';
import { Budget, budgets } from './billing/budgets.js';
import { Earning, OperatorMoney, earnings } from './billing/earnings.js';
import { Invoice, InvoicedMonth, invoices } from './billing/invoices.js';
import { LedgerEntry, ledger } from './billing/ledger.js';
import { Spending, spending } from './billing/spending.js';
import { StorageUsage, storageUsage } from './billing/storage.js';
import { JobUsage, usage } from './billing/usage.js';
import { Batch, Payout, payouts } from './billing/payouts.js';
import { ApiKey, apiKeys } from './registry/api-keys.js';
import { Node, nodes } from './registry/nodes.js';
import { Affiliation, affiliations } from './registry/affiliations.js';
import { Operator, operators } from './registry/operators.js';
import { Tenant, tenants } from './registry/tenants.js';
import { Wallet, wallets } from './registry/wallets.js';
import { Booking, bookings } from './scheduling/bookings.js';
import { Job, jobs } from './scheduling/jobs.js';
import { Lease, leases } from './scheduling/leases.js';
import { Task, tasks } from './scheduling/tasks.js';
import { Accusation, accusations } from './verification/accusations.js';
import { Audit, audits } from './verification/audits.js';
import { ValidatorNode, validatorNodes } from './verification/validator-nodes.js';
import { ValidatorRecord, validatorRecords } from './verification/validator-records.js';
import { Verdict, verdicts } from './verification/verdicts.js';

type ReadModel = readonly [Projection<Message, EntityManager>, EntitySchema];
const readModels: readonly ReadModel[] = [
  [tenants, Tenant],
  [operators, Operator],
  [affiliations, Affiliation],
  [apiKeys, ApiKey],
  [nodes, Node],
  [jobs, Job],
  [tasks, Task],
  [leases, Lease],
  [bookings, Booking],
  [balances, Balance],
  [ledger, LedgerEntry],
  [usage, JobUsage],
  [spending, Spending],
  [custody, CustodyEntry],
  [budgets, Budget],
  [alerts, Alert],
  [alerts, BalanceAlert],
  [storageUsage, StorageUsage],
  [earnings, Earning],
  [earnings, OperatorMoney],
  [invoices, InvoicedMonth],
  [invoices, Invoice],
  [payouts, Batch],
  [payouts, Payout],
  [wallets, Wallet],
  [verdicts, Verdict],
  [accusations, Accusation],
  [audits, Audit],
  [validatorNodes, ValidatorNode],
  [validatorRecords, ValidatorRecord],
];

const RUNS = 8;
const MAX_EVENTS = 12;
/** Counts are kept in columns of 32 bits with a sign. */
const LARGEST_COUNT = 2 ** 31 - 1;

let dir: string;
let server: PostgresServer;
const databases = new Map<string, MikroORM>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-any-events-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const schemas = [...new Set(readModels.map(([, entity]) => entity.meta.schema!))];
  const owners = schemas.map(schema => ({ role: schema, password: schema, schema }));
  const reader = { role: 'reader', password: 'reader' };
  await provision(server.adminUrl, { database: 'spec', owners, reader });
  for (const schema of schemas) {
    const url = new URL(server.adminUrl);
    [url.username, url.password, url.pathname] = [schema, schema, '/spec'];
    const entities = readModels.map(([, entity]) => entity).filter(({ meta }) => meta.schema === schema);
    databases.set(schema, await openDatabase({ url: url.href, schema, entities }));
  }
}, 60_000);

afterAll(async () => {
  for (const orm of databases.values()) await orm.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Any events of the aggregates that the projection reads, about few things, in any order, whether they make sense. */
function eventsFor({ reads }: Projection<Message, EntityManager>): fc.Arbitrary<readonly Recorded[]> {
  const read = catalogue.filter(
    ({ kind, context, aggregate }) => kind === 'event' && reads.includes(`${context}.${aggregate}`),
  );
  const event = fc
    .constantFrom(...read)
    .chain(({ name: type, typeName }) =>
      payloadOf(typeName, LARGEST_COUNT).map((data): Message => ({ type, data })),
    );
  return fc.array(event, { minLength: 1, maxLength: MAX_EVENTS }).map(events => events.map(recordedAt));
}

const recordedAt = (event: Message, index: number): Recorded => ({
  id: `event_${index}`,
  aggregate: { type: 'spec.any', id: 'any' },
  event,
  position: 10 + index * 3,
  recordedAt: new Date(1_000_000 + index * 1_000),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
});

/** Deletes what there is, and applies the events in batches of these sizes, over and over. */
async function build(
  [projection, entity]: ReadModel,
  events: readonly Recorded[],
  sizes: readonly number[],
  afterEach: (batch: readonly Recorded[]) => Promise<unknown> = () => Promise.resolve(),
): Promise<unknown[]> {
  const orm = databases.get(entity.meta.schema!)!;
  await orm.em
    .fork()
    .execute(`delete from ${nameOf(entity)}; delete from "${entity.meta.schema}"."checkpoints"`);
  const runner = new ProjectionRunner(orm, projection, { lazyCommits: true });
  const left = [...events];
  for (let cut = 0; left.length > 0; cut++) {
    const batch = left.splice(0, sizes[cut % sizes.length]);
    await runner.apply(batch);
    await afterEach(batch);
  }
  return rowsOf(entity);
}

/** Those events of a history that change something: a key that was never issued is not revoked, for example. */
async function effectiveOf(model: ReadModel, events: readonly Recorded[]): Promise<readonly Recorded[]> {
  const effective: Recorded[] = [];
  let before: unknown[] = [];
  await build(model, events, [1], async ([recorded]) => {
    const after = await rowsOf(model[1]);
    if (!isDeepStrictEqual(after, before)) effective.push(recorded!);
    before = after;
  });
  return effective;
}

const nameOf = ({ meta }: EntitySchema) => `"${meta.schema}"."${meta.tableName}"`;
const rowsOf = (entity: EntitySchema) =>
  databases
    .get(entity.meta.schema!)!
    .em.fork()
    .execute<unknown[]>(`select * from ${nameOf(entity)} as t order by t::text`);

test.each(readModels.map(model => [model[0].name, model] as const))(
  '%s: any events give the same in any batches as one by one, and nothing new when applied again',
  async (_name, model) => {
    const [projection, entity] = model;
    const batchSizes = fc.array(fc.integer({ min: 1, max: MAX_EVENTS }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(eventsFor(projection), batchSizes, async (events, sizes) => {
        const oneByOne = await build(model, events, [1]);
        expect(await build(model, events, sizes)).toEqual(oneByOne);
        const effective = await effectiveOf(model, events);
        await inTransaction(databases.get(entity.meta.schema!)!, async tx => {
          for (const recorded of effective) await projection.apply(tx, recorded);
        });
        expect(await rowsOf(entity)).toEqual(oneByOne);
      }),
      { numRuns: RUNS },
    );
  },
  60_000,
);
