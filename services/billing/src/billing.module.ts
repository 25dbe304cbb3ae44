import { Archive } from '@astro/archive/archive';
import { TransactionJournal } from '@astro/chain/transactions/journal';
import { TransactionSender } from '@astro/chain/transactions/sender';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { Alert, alerts, BalanceAlert } from '@astro/read-models/billing/alerts';
import { Balance, balances } from '@astro/read-models/billing/balances';
import { Budget, budgets } from '@astro/read-models/billing/budgets';
import { CustodyEntry, custody } from '@astro/read-models/billing/custody';
import { Earning, earnings, OperatorMoney } from '@astro/read-models/billing/earnings';
import { Invoice, InvoicedMonth, invoices } from '@astro/read-models/billing/invoices';
import { LedgerEntry, ledger } from '@astro/read-models/billing/ledger';
import { Batch, Payout, payouts } from '@astro/read-models/billing/payouts';
import { Spending, spending } from '@astro/read-models/billing/spending';
import { StorageUsage, storageUsage, tenantsToMeter } from '@astro/read-models/billing/storage';
import { JobUsage, usage } from '@astro/read-models/billing/usage';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken, PlatformModule } from '@astro/runtime/platform.module';
import { MikroORM } from '@mikro-orm/postgresql';
import { Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import pg from 'pg';
import { accountOn } from './account/account.js';
import { termsIn, type FeeTerms } from './account/fee.js';
import type { BillingConfig } from './billing.config.js';
import { chainAccess, type ChainAccess } from './chain/chain-access.config.js';
import { chargeMeteredStorage, type StorageTerms } from './charge-metered-storage.reactor.js';
import { chargeServicePeriods } from './charge-service-periods.reactor.js';
import { chargeSucceededTasks } from './charge-succeeded-tasks.reactor.js';
import { extendReservations } from './extend-reservations.reactor.js';
import { escrow } from './escrow/escrow.js';
import { FeeInForce } from './fee-in-force.provider.js';
import { followChain } from './follow-chain.reactor.js';
import { followFinalFacts } from './follow-final-facts.reactor.js';
import { invoice } from './invoice/invoice.js';
import { makeInvoicesUnit } from './invoice/make-invoices.unit.js';
import { keepOutputs } from './keep-outputs.reactor.js';
import { payForBookings } from './pay-for-bookings.reactor.js';
import { queueWithdrawals } from './queue-withdrawals.reactor.js';
import { recogniseWallets } from './recognise-wallets.reactor.js';
import { receiveTransfers } from './receive-transfers.reactor.js';
import { releaseAfterJobs } from './release-after-jobs.reactor.js';
import { releaseAfterServices } from './release-after-services.reactor.js';
import { reserveForSubmittedJobs } from './reserve-for-submitted-jobs.reactor.js';
import { returnWithdrawals } from './return-withdrawals.reactor.js';
import { SETTLED_CHAIN, SettlementHealthController } from './settlement-health.controller.js';
import { chainWorkUnit } from './settlement/chain-work.unit.js';
import type { SettleOptions } from './settlement/settle.unit.js';
import { settlement } from './settlement/settlement.js';
import { meterStorageUnit } from './storage/meter-storage.unit.js';
import { storage } from './storage/storage.js';

@Module({})
export class BillingModule {
  static with(config: BillingConfig): DynamicModule {
    const chain = chainAccess(config);
    const fee: { followed?: FeeInForce } = {};
    const inForce = (): FeeTerms => (chain ? feeOf(fee) : feeIn(config));
    return {
      module: BillingModule,
      imports: [
        PlatformModule.forService({
          context: 'billing',
          config,
          aggregates: {
            account: accountOn(chain?.deployment.chainId),
            ...{ storage, invoice },
            ...(chain && { escrow, settlement }),
          },
          projections: [
            ...[balances, ledger, usage, spending, budgets, alerts, payouts, custody, storageUsage],
            ...[invoices, earnings],
          ],
          reactors: [
            reserveForSubmittedJobs,
            extendReservations,
            chargeSucceededTasks(inForce),
            chargeServicePeriods(inForce),
            payForBookings(inForce),
            releaseAfterJobs,
            releaseAfterServices,
            keepOutputs,
            chargeMeteredStorage(storageTermsOf(config), inForce),
            queueWithdrawals(chain?.deployment.chainId),
            ...(chain ? [followChain, recogniseWallets, followFinalFacts, returnWithdrawals] : []),
          ],
          gatheringReactors: [receiveTransfers],
          entities: [
            ...[Balance, LedgerEntry, JobUsage, Spending, Budget, Alert, BalanceAlert],
            ...[Batch, Payout, CustodyEntry, StorageUsage],
            ...[Invoice, InvoicedMonth, Earning, OperatorMoney],
          ],
        }),
      ],
      controllers: chain ? [SettlementHealthController] : [],
      providers: [
        ...[metering(config), invoicing(config)],
        ...(chain ? [following(chain, fee), settling(config, chain), settledChain(chain)] : []),
      ],
    };
  }
}

function storageTermsOf(config: BillingConfig): StorageTerms | undefined {
  const { STORAGE_PRICE_PER_GIB_HOUR_ATTO: price, STORAGE_OPERATOR_ID: operatorId } = config;
  return operatorId === undefined ? undefined : { pricePerGibHourAtto: BigInt(price), operatorId };
}

/** Tenants that are metered at a time. */
const meteredAtOnce = 500;

/** Of the unit that meters storage, which the work of the service is given. */
const METERING = Symbol('storage metering');

const metering = (config: BillingConfig): Provider => ({
  provide: METERING,
  inject: [MikroORM, CommandBus, SharedWork],
  useFactory(orm: MikroORM, commands: CommandBus, work: SharedWork) {
    const unit = meterStorageUnit({
      commands,
      everyMs: config.STORAGE_CHARGE_EVERY_MS,
      dueBefore: (through, afterTenantId) =>
        tenantsToMeter(orm.em.fork(), through, { afterTenantId, limit: meteredAtOnce }),
      log: logFor('storage'),
    });
    work.add(unit);
    return unit;
  },
});

const feeIn = ({ FEE_BPS: feeBps, BURN_BPS: burnBps, VALIDATOR_BPS: validatorBps }: BillingConfig) =>
  termsIn({ feeBps, burnBps, validatorBps });

function feeOf({ followed }: { readonly followed?: FeeInForce }): FeeTerms {
  if (!followed) throw new Error('the fee is not followed yet');
  return followed.schedule;
}

const settledChain = (chain: ChainAccess): Provider => ({
  provide: SETTLED_CHAIN,
  useValue: String(chain.deployment.chainId),
});

const following = (chain: ChainAccess, fee: { followed?: FeeInForce }): Provider => ({
  provide: FeeInForce,
  inject: [EventStore],
  async useFactory(store: EventStore) {
    fee.followed = await FeeInForce.open(store, String(chain.deployment.chainId), logFor('fee'));
    return fee.followed;
  },
});

/** Closed with the module, after the unit that reads from it has stopped. */
class InvoiceArchive implements OnApplicationShutdown {
  constructor(readonly archive: Archive) {}

  onApplicationShutdown(): Promise<void> {
    return this.archive.close();
  }
}

const invoicing = (config: BillingConfig): Provider => ({
  provide: InvoiceArchive,
  inject: [Bus, CommandBus, SharedWork, MikroORM],
  useFactory(bus: Bus, commands: CommandBus, work: SharedWork, orm: MikroORM) {
    const log = logFor('invoices');
    const warn = (line: string) => log.warn(line);
    const archive = new Archive({ url: config.DATABASE_URL, schema: 'billing', warn });
    const pace = { afterMs: config.INVOICE_AFTER_MS, pollMs: config.INVOICE_POLL_MS };
    const em = () => orm.em.fork();
    work.add(makeInvoicesUnit({ bus, commands, archive, em, ...pace, now: () => new Date(), log }));
    return new InvoiceArchive(archive);
  },
});

/** Closed with the module, after the units that use them have stopped. */
class ChainConnections implements OnApplicationShutdown {
  constructor(
    private readonly chain: ChainAccess,
    private readonly database: pg.Pool,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    this.chain.pool.close();
    await this.database.end();
  }
}

type Stores = Pick<SettleOptions, 'settlements' | 'escrows'>;

/** Connections that the journal of transactions may hold. */
const journalConnections = 4;
/** So that stopping does not wait for the chain: whoever is next waits for the same transaction. */
const patienceMs = 5_000;

const settling = (config: BillingConfig, chain: ChainAccess): Provider => ({
  provide: ChainConnections,
  inject: [Bus, CommandBus, SharedWork, MikroORM, aggregateToken('settlement'), aggregateToken('escrow')],
  async useFactory(
    bus: Bus,
    commands: CommandBus,
    work: SharedWork,
    orm: MikroORM,
    settlements: Stores['settlements'],
    escrows: Stores['escrows'],
  ) {
    const log = logFor('settlement');
    const database = new pg.Pool({ connectionString: config.DATABASE_URL, max: journalConnections });
    // An idle connection that ends, as when the server does, must not end the process.
    database.on('error', error =>
      log.warn('a connection of the journal has ended', { reason: error.message }),
    );
    const journal = new TransactionJournal(database, 'billing');
    const { pool, settler: wallet, confirmations, deployment } = chain;
    const { chainId } = deployment;
    const limits = { confirmations, giveUpAfterMs: patienceMs };
    const openSender = async () =>
      (await TransactionSender.start({ pool, wallet, chainId, journal, ...limits })).sender;
    const pace = {
      everyMs: config.SETTLEMENT_EVERY_MS,
      chargesMax: config.SETTLEMENT_CHARGES_MAX,
      pollMs: config.SETTLEMENT_POLL_MS,
      reconcileEveryMs: config.RECONCILE_EVERY_MS,
      graceMs: config.RECONCILE_GRACE_MS,
    };
    const isPlanned = async (key: string) => (await journal.find(key)) !== undefined;
    const readTables = () => orm.em.fork();
    const stores = { bus, commands, settlements, escrows, readTables };
    work.add(chainWorkUnit({ ...stores, chain, openSender, isPlanned, ...pace, log }));
    return new ChainConnections(chain, database);
  },
});
