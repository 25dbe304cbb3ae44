import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { LeaseRenewed, PoolEvent, Result } from '@astro/messages/scheduling';
import type { FeeTerms } from './account/fee.js';

/** A service has no result to verify: the time for which its replicas ran is charged. */
export const chargeServicePeriods = (inForce: () => FeeTerms): Reactor<PoolEvent, AccountCommand> => ({
  name: 'billing.charge-service-periods',
  reads: ['scheduling.pool'],

  react({ event: { type, data }, recordedAt }) {
    switch (type) {
      case 'LeaseRenewed':
        return chargesOf(data, [data.work], inForce(), recordedAt);
      case 'ReplicasMetered':
        return chargesOf(data, data.work, inForce(), recordedAt);
      default:
        return [];
    }
  },
});

type Metered = Pick<LeaseRenewed, 'tenantId' | 'jobId' | 'taskId' | 'chargeNumber'>;

const chargesOf = (
  { tenantId, jobId, taskId, chargeNumber }: Metered,
  work: readonly Result[],
  fees: FeeTerms,
  causedAt: Date,
): readonly Directed<AccountCommand>[] =>
  work.map((used, index) => ({
    to: { type: 'billing.account', id: tenantId },
    type: 'ChargePeriod',
    data: { tenantId, jobId, taskId, chargeNumber: chargeNumber + index, work: used, ...fees, causedAt },
  }));
