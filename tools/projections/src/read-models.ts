import type { EntityManager, EntitySchema } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import { Alert, alerts, BalanceAlert } from '@astro/read-models/billing/alerts';
import { Balance, balances } from '@astro/read-models/billing/balances';
import { CustodyEntry, custody } from '@astro/read-models/billing/custody';
import { Budget, budgets } from '@astro/read-models/billing/budgets';
import { Earning, OperatorMoney, earnings } from '@astro/read-models/billing/earnings';
import { Invoice, InvoicedMonth, invoices } from '@astro/read-models/billing/invoices';
import { LedgerEntry, ledger } from '@astro/read-models/billing/ledger';
import { Batch, Payout, payouts } from '@astro/read-models/billing/payouts';
import { Spending, spending } from '@astro/read-models/billing/spending';
import { StorageUsage, storageUsage } from '@astro/read-models/billing/storage';
import { JobUsage, usage } from '@astro/read-models/billing/usage';
import { chainModels } from '@astro/read-models/chain/models';
import { ApiKey, apiKeys } from '@astro/read-models/registry/api-keys';
import { Node, nodes } from '@astro/read-models/registry/nodes';
import { Affiliation, affiliations } from '@astro/read-models/registry/affiliations';
import { Operator, operators } from '@astro/read-models/registry/operators';
import { Tenant, tenants } from '@astro/read-models/registry/tenants';
import { Wallet, wallets } from '@astro/read-models/registry/wallets';
import { Job, jobs } from '@astro/read-models/scheduling/jobs';
import { Lease, leases } from '@astro/read-models/scheduling/leases';
import { Task, tasks } from '@astro/read-models/scheduling/tasks';
import { Accusation, accusations } from '@astro/read-models/verification/accusations';
import { Verdict, verdicts } from '@astro/read-models/verification/verdicts';

export type ReadModel = {
  readonly projection: Projection<Message, EntityManager>;
  readonly entities: readonly EntitySchema[];
};

/** Every read model of the platform. */
export const readModels: readonly ReadModel[] = [
  { projection: tenants, entities: [Tenant] },
  { projection: operators, entities: [Operator] },
  { projection: affiliations, entities: [Affiliation] },
  { projection: apiKeys, entities: [ApiKey] },
  { projection: nodes, entities: [Node] },
  { projection: wallets, entities: [Wallet] },
  { projection: jobs, entities: [Job] },
  { projection: tasks, entities: [Task] },
  { projection: leases, entities: [Lease] },
  { projection: balances, entities: [Balance] },
  { projection: ledger, entities: [LedgerEntry] },
  { projection: payouts, entities: [Batch, Payout] },
  { projection: usage, entities: [JobUsage] },
  { projection: spending, entities: [Spending] },
  { projection: custody, entities: [CustodyEntry] },
  { projection: budgets, entities: [Budget] },
  { projection: alerts, entities: [Alert, BalanceAlert] },
  { projection: storageUsage, entities: [StorageUsage] },
  { projection: earnings, entities: [Earning, OperatorMoney] },
  { projection: invoices, entities: [InvoicedMonth, Invoice] },
  { projection: verdicts, entities: [Verdict] },
  { projection: accusations, entities: [Accusation] },
  ...chainModels,
];
