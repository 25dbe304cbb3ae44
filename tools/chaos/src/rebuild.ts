import { isDeepStrictEqual } from 'node:util';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { Alert, alerts, BalanceAlert } from '@astro/read-models/billing/alerts';
import { Balance, balances } from '@astro/read-models/billing/balances';
import { CustodyEntry, custody } from '@astro/read-models/billing/custody';
import { Budget, budgets } from '@astro/read-models/billing/budgets';
import { LedgerEntry, ledger } from '@astro/read-models/billing/ledger';
import { Batch, Payout, payouts } from '@astro/read-models/billing/payouts';
import { Spending, spending } from '@astro/read-models/billing/spending';
import { JobUsage, usage } from '@astro/read-models/billing/usage';
import { chainModels } from '@astro/read-models/chain/models';
import { ApiKey, apiKeys } from '@astro/read-models/registry/api-keys';
import { Node, nodes } from '@astro/read-models/registry/nodes';
import { Affiliation, affiliations } from '@astro/read-models/registry/affiliations';
import { Operator, operators } from '@astro/read-models/registry/operators';
import { Tenant, tenants } from '@astro/read-models/registry/tenants';
import { Job, jobs } from '@astro/read-models/scheduling/jobs';
import { Lease, leases } from '@astro/read-models/scheduling/leases';
import { Task, tasks } from '@astro/read-models/scheduling/tasks';
import { Verdict, verdicts } from '@astro/read-models/verification/verdicts';
import type { EntityManager, EntitySchema } from '@mikro-orm/postgresql';
import { Client, escapeIdentifier } from 'pg';
import type { Context, History } from './history.js';

type ReadModel = {
  readonly entities: readonly EntitySchema[];
  readonly projection: Projection<Message, EntityManager>;
};
const model = (entity: unknown, projection: unknown): ReadModel =>
  ({ entities: [entity], projection }) as unknown as ReadModel;

const readModels: Readonly<Record<Context, readonly ReadModel[]>> = {
  registry: [
    model(Tenant, tenants),
    model(Operator, operators),
    model(Affiliation, affiliations),
    model(ApiKey, apiKeys),
    model(Node, nodes),
  ],
  scheduling: [model(Job, jobs), model(Task, tasks), model(Lease, leases)],
  verification: [model(Verdict, verdicts)],
  billing: [
    model(Balance, balances),
    model(LedgerEntry, ledger),
    model(JobUsage, usage),
    model(Spending, spending),
    model(CustodyEntry, custody),
    model(Budget, budgets),
    { entities: [Alert, BalanceAlert], projection: alerts },
    { entities: [Batch, Payout], projection: payouts },
  ],
  chain: chainModels,
};
const contexts = Object.keys(readModels) as readonly Context[];
/** What one transaction of a rebuild applies. */
const batchMax = 1_000;

/** Every row of every read model, as text, sorted: two databases hold the same when these are equal. */
export type Snapshot = ReadonlyMap<string, readonly string[]>;

export async function snapshotOf(databaseUrl: string): Promise<Snapshot> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const tables = new Map<string, readonly string[]>();
    for (const context of contexts) {
      for (const entity of readModels[context].flatMap(({ entities }) => entities)) {
        const table = entity.meta.tableName;
        const { rows } = await client.query<{ row: string }>(
          `select to_jsonb(t)::text as row from ${escapeIdentifier(context)}.${escapeIdentifier(table)} t
           order by 1`,
        );
        tables.set(
          `${context}.${table}`,
          rows.map(({ row }) => row),
        );
      }
    }
    return tables;
  } finally {
    await client.end();
  }
}

/** The first row of each table that only one of the two has. */
export function differences(left: Snapshot, right: Snapshot): readonly string[] {
  return [...left].flatMap(([table, rows]) => {
    const others = right.get(table) ?? [];
    if (isDeepStrictEqual(rows, others)) return [];
    const [one] = rows.filter(row => !others.includes(row));
    const [other] = others.filter(row => !rows.includes(row));
    return [
      `${table} (${rows.length} and ${others.length} rows): ${one ?? 'nothing'} against ${other ?? 'nothing'}`,
    ];
  });
}

type Database = Awaited<ReturnType<typeof openDatabase>>;

/** A database of its own on the same server, with read models made from the events alone. */
export class Rebuild {
  private readonly databases = new Map<Context, Database>();

  private constructor(
    private readonly adminUrl: string,
    private readonly name: string,
  ) {}

  static async create(adminUrl: string, name: string): Promise<Rebuild> {
    await execute(adminUrl, `create database ${escapeIdentifier(name)}`);
    const rebuild = new Rebuild(adminUrl, name);
    for (const context of contexts) await execute(rebuild.url, `create schema ${escapeIdentifier(context)}`);
    return rebuild;
  }

  get url(): string {
    const url = new URL(this.adminUrl);
    url.pathname = `/${this.name}`;
    return url.href;
  }

  /**
   * Applies every event from the first on, whatever was applied before. Of the chain, whose read models add up what
   * happened and leave it to their checkpoints that nothing is added twice, the checkpoints stay.
   */
  async replay(history: History): Promise<void> {
    for (const context of contexts) {
      const orm = await this.databaseOf(context);
      if (context !== 'chain')
        await orm.em.fork().execute(`update ${escapeIdentifier(context)}.checkpoints set position = 0`);
      for (const { projection } of readModels[context]) {
        const runner = new ProjectionRunner(orm, projection);
        const events = history
          .of(context)
          .filter(({ aggregate }) => projection.reads.includes(aggregate.type));
        for (let from = 0; from < events.length; from += batchMax)
          await runner.apply(events.slice(from, from + batchMax));
      }
    }
  }

  async drop(): Promise<void> {
    for (const orm of this.databases.values()) await orm.close();
    await execute(this.adminUrl, `drop database ${escapeIdentifier(this.name)} with (force)`);
  }

  private async databaseOf(context: Context): Promise<Database> {
    const known = this.databases.get(context);
    if (known) return known;
    const entities = readModels[context].flatMap(({ entities }) => entities);
    const orm = await openDatabase({ url: this.url, schema: context, entities });
    this.databases.set(context, orm);
    return orm;
  }
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
