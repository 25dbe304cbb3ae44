import { Archive } from '@astro/archive/archive';
import { TransactionJournal } from '@astro/chain/transactions/journal';
import { TransactionSender } from '@astro/chain/transactions/sender';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { Balance, balances } from '@astro/read-models/billing/balances';
import { Earning, earnings, OperatorMoney } from '@astro/read-models/billing/earnings';
import { Invoice, InvoicedMonth, invoices } from '@astro/read-models/billing/invoices';
import { LedgerEntry, ledger } from '@astro/read-models/billing/ledger';
import { Batch, Payout, payouts } from '@astro/read-models/billing/payouts';
import { Spending, spending } from '@astro/read-models/billing/spending';
import { JobUsage, usage } from '@astro/read-models/billing/usage';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken, PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { account } from './account/account.js';
import type { BillingConfig } from './billing.config.js';
import { chainAccess, type ChainAccess } from './chain/chain-access.config.js';
import { chargeServicePeriods } from './charge-service-periods.reactor.js';
import { chargeSucceededTasks, type FeeSchedule } from './charge-succeeded-tasks.reactor.js';
import { escrow } from './escrow/escrow.js';
import { FeeInForce } from './fee-in-force.provider.js';
import { followChain } from './follow-chain.reactor.js';
import { followFinalFacts } from './follow-final-facts.reactor.js';
import { invoice } from './invoice/invoice.js';
import { makeInvoicesUnit } from './invoice/make-invoices.unit.js';
import { queueWithdrawals } from './queue-withdrawals.reactor.js';
import { recogniseWallets } from './recognise-wallets.reactor.js';
import { receiveTransfers } from './receive-transfers.reactor.js';
import { releaseAfterJobs } from './release-after-jobs.reactor.js';
import { releaseAfterServices } from './release-after-services.reactor.js';
import { reserveForSubmittedJobs } from './reserve-for-submitted-jobs.reactor.js';
import { returnWithdrawals } from './return-withdrawals.reactor.js';
import { chainWorkUnit } from './settlement/chain-work.unit.js';
import type { SettleOptions } from './settlement/settle.unit.js';
import { settlement } from './settlement/settlement.js';

@Module({})
export class BillingModule {
  static with(config: BillingConfig): DynamicModule {
    const chain = chainAccess(config);
    const fee: { followed?: FeeInForce } = {};
    const inForce = (): FeeSchedule =>
      chain ? feeOf(fee) : { feeBps: config.FEE_BPS, burnBps: config.BURN_BPS };
    return {
      module: BillingModule,
      imports: [
        PlatformModule.forService({
          context: 'billing',
          config,
          aggregates: { account, invoice, ...(chain && { escrow, settlement }) },
          projections: [balances, ledger, usage, spending, payouts, invoices, earnings],
          reactors: [
            reserveForSubmittedJobs,
            chargeSucceededTasks(inForce),
            chargeServicePeriods(inForce),
            releaseAfterJobs,
            releaseAfterServices,
            queueWithdrawals(chain?.deployment.chainId),
            ...(chain ? [followChain, recogniseWallets, followFinalFacts, returnWithdrawals] : []),
          ],
          gatheringReactors: [receiveTransfers],
          entities: [
            Balance,
            LedgerEntry,
            JobUsage,
            Spending,
            Batch,
            Payout,
            Invoice,
            InvoicedMonth,
            Earning,
            OperatorMoney,
          ],
        }),
      ],
      providers: [invoicing(config), ...(chain ? [following(chain, fee), settling(config, chain)] : [])],
    };
  }
}

function feeOf({ followed }: { readonly followed?: FeeInForce }): FeeSchedule {
  if (!followed) throw new Error('the fee is not followed yet');
  return followed.schedule;
}

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
  inject: [Bus, CommandBus, SharedWork, aggregateToken('settlement'), aggregateToken('escrow')],
  async useFactory(
    bus: Bus,
    commands: CommandBus,
    work: SharedWork,
    settlements: Stores['settlements'],
    escrows: Stores['escrows'],
  ) {
    const database = new pg.Pool({ connectionString: config.DATABASE_URL, max: journalConnections });
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
    };
    const log = logFor('settlement');
    const isPlanned = async (key: string) => (await journal.find(key)) !== undefined;
    const stores = { bus, commands, settlements, escrows };
    work.add(chainWorkUnit({ ...stores, chain, openSender, isPlanned, ...pace, log }));
    return new ChainConnections(chain, database);
  },
});
