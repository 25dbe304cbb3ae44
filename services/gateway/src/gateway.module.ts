import { KeyValue } from '@astro/jetstream/key-value';
import { LeaseLogs } from '@astro/jetstream/lease-logs';
import { TaskProgress } from '@astro/jetstream/task-progress';
import { Bus } from '@astro/jetstream/bus';
import { Alert, BalanceAlert } from '@astro/read-models/billing/alerts';
import { Balance } from '@astro/read-models/billing/balances';
import { Budget } from '@astro/read-models/billing/budgets';
import { Earning, OperatorMoney } from '@astro/read-models/billing/earnings';
import { Invoice, InvoicedMonth } from '@astro/read-models/billing/invoices';
import { LedgerEntry } from '@astro/read-models/billing/ledger';
import { Batch, Payout } from '@astro/read-models/billing/payouts';
import { Spending } from '@astro/read-models/billing/spending';
import { StorageUsage } from '@astro/read-models/billing/storage';
import { JobUsage } from '@astro/read-models/billing/usage';
import { chainModels } from '@astro/read-models/chain/models';
import { Affiliation } from '@astro/read-models/registry/affiliations';
import { ApiKey } from '@astro/read-models/registry/api-keys';
import { Node } from '@astro/read-models/registry/nodes';
import { Operator } from '@astro/read-models/registry/operators';
import { Tenant } from '@astro/read-models/registry/tenants';
import { Wallet } from '@astro/read-models/registry/wallets';
import { Booking } from '@astro/read-models/scheduling/bookings';
import { Job } from '@astro/read-models/scheduling/jobs';
import { Lease } from '@astro/read-models/scheduling/leases';
import { Task } from '@astro/read-models/scheduling/tasks';
import { Accusation } from '@astro/read-models/verification/accusations';
import { Audit } from '@astro/read-models/verification/audits';
import { ValidatorNode } from '@astro/read-models/verification/validator-nodes';
import { ValidatorRecord } from '@astro/read-models/verification/validator-records';
import { ChainProgress, ValidatorStake } from '@astro/read-models/verification/validator-stakes';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { AccountsController } from './accounts/accounts.controller.js';
import { ChainController } from './chain/chain.controller.js';
import { ForecastController } from './accounts/forecast.controller.js';
import { StatementsController } from './accounts/statements.controller.js';
import { TransfersController } from './accounts/transfers.controller.js';
import { WithdrawalsController } from './accounts/withdrawals.controller.js';
import { AlertsController } from './budgets/alerts.controller.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { Commands } from './commands.js';
import { ContentController } from './content/content.controller.js';
import { ContentStore } from './content/content-store.js';
import { ContentSweep, SWEEP_EVERY_MS } from './content/content-sweep.js';
import { TrustlessController } from './content/trustless.controller.js';
import { EarningsController } from './earnings/earnings.controller.js';
import { FaultsController } from './faults/faults.controller.js';
import { EndpointDirectory } from './endpoints/endpoint-directory.js';
import { ReplicaCalls } from './endpoints/replica-calls.js';
import { RequestCounts } from './endpoints/request-counts.js';
import { ServicesController } from './endpoints/services.controller.js';
import { GATEWAY_CONFIG, type GatewayConfig } from './gateway.config.js';
import { Authentication } from './http/authentication.js';
import { AuthenticationGuard } from './http/authentication.guard.js';
import { configureHttp } from './http/http-server.js';
import { IdempotencyInterceptor } from './http/idempotency.interceptor.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RateLimit } from './http/rate-limit.js';
import { RouteTable } from './http/route-table.js';
import { ForesightController } from './jobs/foresight.controller.js';
import { InvoiceDocuments } from './invoices/invoice-documents.js';
import { InvoicesController } from './invoices/invoices.controller.js';
import { JobEventsController } from './jobs/job-events.controller.js';
import { JobsController } from './jobs/jobs.controller.js';
import { TaskLogsController } from './jobs/task-logs.controller.js';
import { PoolQuestions } from './jobs/pool-questions.js';
import { AttestationsController } from './nodes/attestations.controller.js';
import { NodeCredentials } from './nodes/node-credentials.js';
import { NodeNetworks } from './nodes/node-networks.js';
import { NodeKeysController } from './nodes/node-keys.controller.js';
import { NodeWorkController } from './nodes/node-work.controller.js';
import { NodesController } from './nodes/nodes.controller.js';
import { openApiDocument } from './openapi/document.js';
import { OPENAPI_DOCUMENT, OpenApiController } from './openapi/openapi.controller.js';
import { PayoutsController } from './payouts/payouts.controller.js';
import { QuotesController } from './quotes/quotes.controller.js';
import { ReadModels } from './read-models.js';
import { ReservationsController } from './reservations/reservations.controller.js';
import { ValidatorsController } from './validators/validators.controller.js';
import { WalletsController } from './wallets/wallets.controller.js';

export const controllers = [
  JobsController,
  JobEventsController,
  TaskLogsController,
  ForesightController,
  ContentController,
  TrustlessController,
  NodeKeysController,
  NodesController,
  AttestationsController,
  NodeWorkController,
  AccountsController,
  ChainController,
  StatementsController,
  ForecastController,
  BudgetsController,
  AlertsController,
  TransfersController,
  WithdrawalsController,
  WalletsController,
  PayoutsController,
  InvoicesController,
  EarningsController,
  FaultsController,
  QuotesController,
  ReservationsController,
  ServicesController,
  ValidatorsController,
  OpenApiController,
];

const chainEntities = chainModels.flatMap(({ entities }) => entities);

/** Every table that something here is read from. */
const entities = [
  Tenant,
  Operator,
  Affiliation,
  ApiKey,
  Wallet,
  Node,
  Job,
  Lease,
  Task,
  Booking,
  Balance,
  LedgerEntry,
  JobUsage,
  Spending,
  Budget,
  Alert,
  BalanceAlert,
  StorageUsage,
  Batch,
  Payout,
  Invoice,
  InvoicedMonth,
  Earning,
  OperatorMoney,
  ...[Accusation, Audit, ValidatorNode, ValidatorRecord, ValidatorStake, ChainProgress],
  ...chainEntities,
];

@Module({})
export class GatewayModule {
  constructor({ httpAdapter }: HttpAdapterHost<FastifyAdapter>, routes: RouteTable) {
    configureHttp(httpAdapter, routes);
  }

  static with(config: GatewayConfig): DynamicModule {
    return {
      module: GatewayModule,
      imports: [
        PlatformModule.forService({
          config,
          reader: true,
          entities,
        }),
      ],
      controllers,
      providers: [
        { provide: GATEWAY_CONFIG, useValue: config },
        { provide: OPENAPI_DOCUMENT, useFactory: () => openApiDocument(controllers) },
        { provide: ContentStore, useFactory: () => ContentStore.open(config.CONTENT_DIR) },
        {
          provide: ContentSweep,
          useFactory: (store: ContentStore) => new ContentSweep(store, SWEEP_EVERY_MS),
          inject: [ContentStore],
        },
        { provide: KeyValue, useFactory: (bus: Bus) => KeyValue.open(bus, 'idempotency'), inject: [Bus] },
        { provide: LeaseLogs, useFactory: (bus: Bus) => new LeaseLogs(bus), inject: [Bus] },
        { provide: TaskProgress, useFactory: (bus: Bus) => new TaskProgress(bus), inject: [Bus] },
        {
          provide: RateLimit,
          useFactory: () =>
            new RateLimit({ perSecond: config.RATE_LIMIT_PER_SECOND, burst: config.RATE_LIMIT_BURST }),
        },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
        Authentication,
        AuthenticationGuard,
        Commands,
        EndpointDirectory,
        ReplicaCalls,
        RequestCounts,
        InvoiceDocuments,
        NodeCredentials,
        NodeNetworks,
        PoolQuestions,
        ReadModels,
        RouteTable,
      ],
    };
  }
}
