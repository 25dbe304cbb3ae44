import { Balance, balances } from '@astro/read-models/billing/balances';
import { LedgerEntry, ledger } from '@astro/read-models/billing/ledger';
import { JobUsage, usage } from '@astro/read-models/billing/usage';
import { PlatformModule } from '@astro/runtime/platform.module';
import { Module, type DynamicModule } from '@nestjs/common';
import { account } from './account/account.js';
import type { BillingConfig } from './billing.config.js';
import { chargeServicePeriods } from './charge-service-periods.reactor.js';
import { chargeSucceededTasks } from './charge-succeeded-tasks.reactor.js';
import { receiveTransfers } from './receive-transfers.reactor.js';
import { releaseAfterJobs } from './release-after-jobs.reactor.js';
import { releaseAfterServices } from './release-after-services.reactor.js';
import { reserveForSubmittedJobs } from './reserve-for-submitted-jobs.reactor.js';

@Module({})
export class BillingModule {
  static with(config: BillingConfig): DynamicModule {
    const feeSchedule = { feeBps: config.FEE_BPS, burnBps: config.BURN_BPS };
    return {
      module: BillingModule,
      imports: [
        PlatformModule.forService({
          context: 'billing',
          config,
          aggregates: { account },
          projections: [balances, ledger, usage],
          reactors: [
            reserveForSubmittedJobs,
            chargeSucceededTasks(feeSchedule),
            chargeServicePeriods(feeSchedule),
            releaseAfterJobs,
            releaseAfterServices,
          ],
          gatheringReactors: [receiveTransfers],
          entities: [Balance, LedgerEntry, JobUsage],
        }),
      ],
    };
  }
}
